"""Handing in one message: what is taken, what is refused and how, and that each request is made once."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from mailer.io import durable
from mailer.submit.tray import SMALL
from mailer.web import send
from tests.web.api import MAIL, Api, refused


def test_what_is_answered_with_202_is_in_the_spool(api: Api) -> None:
    """With the key as its submitter; the answer names the message and each recipient."""
    answer = api.send(request_id="order-1", cc_addresses=["bob@example.net"], bcc_addresses=["carl@example.net"])
    found = answer.json()
    assert answer.status_code == 202
    assert api.ids == [found["id"]]
    header = found.pop("header_message_id")
    people = [
        {"address": f"{name}@example.net", "type": type, "status": "queued"}
        for name, type in (("anna", "to"), ("bob", "cc"), ("carl", "bcc"))
    ]
    assert sorted(found.pop("recipients"), key=str) == sorted(people, key=str)
    assert found == {"id": api.ids[0], "message_id": api.ids[0], "request_id": "order-1", "status": "queued", "repeat": False}
    envelope = api.envelope(found["id"])
    assert (envelope.sender, envelope.principal, envelope.message_id) == ("shop@example.com", "key:shop", header)
    assert b"carl" not in api.content(found["id"])


def test_the_stream_and_the_cause_go_into_the_envelope(api: Api) -> None:
    """The one is the key's, the other the request's, if it is what it should be."""
    key, cause = api.key("news", stream="letters"), f"00-{'a' * 32}-{'b' * 16}-01"
    envelope = api.envelope(api.send(key, fields={"traceparent": cause}).json()["id"])
    assert envelope.submitter == {"principal": "key:news", "stream": "letters"}
    assert envelope.options == {"traceparent": cause}
    assert api.envelope(api.send(key, fields={"traceparent": "00-x"}).json()["id"]).options == {}


@pytest.mark.parametrize("octets", [20, SMALL])
@pytest.mark.parametrize("id", [..., "r"])
def test_it_is_synced_before_it_is_answered(api: Api, monkeypatch: pytest.MonkeyPatch, octets: int, id: object) -> None:
    """A disk that does not say so is no 202: nothing is queued, and the client may come again."""

    def full(_path: str) -> None:
        raise OSError(28, "No space left on device", api.spool.place)

    monkeypatch.setattr(durable, "sync_directory", full)
    answer = api.send(request_id=id, body_plain="x" * octets)
    message = refused(answer, 503, "try_again")
    assert api.spool.place not in message
    assert "No space" in api.told[-1].reason
    assert int(answer.headers["Retry-After"]) > 0
    monkeypatch.undo()
    assert api.ids == []


def test_no_room_is_503(tmp_path: Path) -> None:
    """As the settings have it."""
    full = Api(tmp_path, 'min_free_space = "1000000GB"')
    answer = full.send()
    refused(answer, 503, "try_again")
    assert "min_free_space" in full.told[-1].reason
    full.close()


# once


def test_a_request_is_made_once(api: Api) -> None:
    """Repeated, it has the same answer, which says so; the field and the member are the same thing."""
    first, again = api.send(request_id="r"), api.send(fields={"Idempotency-Key": "r"})
    third = api.send(request_id="r", fields={"Idempotency-Key": '"r"'})
    assert first.json() == {**again.json(), "repeat": False} == {**third.json(), "repeat": False}
    assert [answer.json()["repeat"] for answer in (first, again, third)] == [False, True, True]
    assert [answer.headers.get("Idempotent-Replayed") for answer in (first, again, third)] == [None, "true", "true"]
    assert len(api.ids) == 1


def test_another_message_under_the_same_request_id_is_a_conflict(api: Api) -> None:
    """Without anything of the first one, and nothing is queued."""
    id = api.sent(request_id="r", subject="a secret")
    answer = api.send(request_id="r")
    refused(answer, 409, "conflict", "nothing was queued", member="request_id")
    assert id not in answer.text
    assert "secret" not in answer.text
    assert api.ids == [id]


def test_each_key_has_request_ids_of_its_own(api: Api) -> None:
    """Two programs may say the same one."""
    other = api.key("other")
    assert api.sent(request_id="r") != api.send(other, request_id="r", subject="another").json()["id"]
    assert len(api.ids) == 2


def test_a_key_has_a_quarter_of_the_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where its requests come by a proxy, or from many addresses; another key has its turn meanwhile."""
    api = Api(tmp_path, "[api]\nmax_connections = 16")
    other, most = api.key("other"), 4
    go, begun = threading.Event(), threading.Semaphore(0)
    plain, large = send.submit, {**MAIL, "body_plain": "x" * 70 + "\n" * SMALL}

    def slow(*args: Any) -> Any:
        begun.release()
        go.wait(20)
        return plain(*args)

    monkeypatch.setattr(send, "submit", slow)

    async def many() -> list[Any]:
        calls = [asyncio.ensure_future(api.asked("POST", "/send_email", json=large, client=f"127.0.0.{n}")) for n in range(1, most + 1)]
        for _ in range(most):
            await asyncio.to_thread(begun.acquire)
        refused = await api.asked("POST", "/send_email", json=MAIL, client="127.0.1.1")
        seen = await api.asked("GET", "/events", other)
        go.set()
        return [refused, seen, *await asyncio.gather(*calls), await api.asked("POST", "/send_email", json=MAIL)]

    refused, seen, *taken = asyncio.run(many())
    assert (refused.status_code, refused.json()["error"]["code"], refused.headers["retry-after"]) == (429, "too_many_at_once", "1")
    assert seen.status_code == 403, "it has no scope for that, and was heard"
    assert {answer.status_code for answer in taken} == {202}
    assert len(api.ids) == most + 1
    api.close()


@pytest.mark.slow
def test_fifty_at_once_are_one_message(api: Api) -> None:
    """Fifty times the same ID, one of them without ``repeat``."""

    async def all_at_once() -> list[Any]:
        calls = [api.asked("POST", "/send_email", json={**MAIL, "request_id": "r"}) for _ in range(50)]
        return [answer.json() for answer in await asyncio.gather(*calls)]

    found = asyncio.run(all_at_once())
    assert {one["id"] for one in found} == set(api.ids)
    assert len(api.ids) == 1
    assert sum(one["repeat"] for one in found) == 49


def test_a_request_that_was_refused_may_be_made_again(api: Api) -> None:
    """Mended, under the same request id."""
    refused(api.send(request_id="r", to_addresses=["nobody"]), 400, "bad_address", member="to_addresses[0]")
    assert api.send(request_id="r").json()["repeat"] is False


def test_two_names_of_one_request_are_refused(api: Api) -> None:
    """Nobody knows which one is meant."""
    refused(api.send(request_id="a", fields={"Idempotency-Key": "b"}), 400, "bad_request_id", member="request_id")
    refused(api.send(fields={"Idempotency-Key": "x" * 256}), 400, "bad_request_id")
    refused(api.send(request_id="x" * 256), 400, "bad_request_id", member="request_id")
    assert api.ids == []


@pytest.mark.parametrize("octets", [20, SMALL])
def test_a_death_between_claim_and_rename_loses_nothing(api: Api, octets: int) -> None:
    """The process is killed when the request id is claimed and the message has no name yet: the retry has the first ID.

    Whether it is put beside others, or by itself.
    """
    text = "x" * octets
    pid = os.fork()
    if not pid:
        durable.sync_directory = lambda _path: os.kill(os.getpid(), signal.SIGKILL)
        api.send(request_id="r", body_plain=text)
        os._exit(1)
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL
    [written] = Path(api.spool.place).glob("tmp/*")
    assert api.spool.ids("queued") == []
    answer = api.send(request_id="r", body_plain=text).json()
    assert answer["id"] == written.name
    assert answer["repeat"] is True
    assert api.ids == [written.name]


# who it is from


@pytest.mark.parametrize(
    "members",
    [
        {"from_address": "boss@example.com"}, {"from_address": "Boss <boss@example.com>"},
        {"from_address": '"shop@example.com" <boss@example.com>'},
        {"headers": {"Sender": "boss@example.com"}}, {"headers": {"Resent-From": "boss@example.com"}},
    ],
)  # fmt: skip
def test_a_key_sends_as_its_senders(api: Api, members: dict[str, Any]) -> None:
    """From, Sender and the envelope alike: 403, and nothing is queued."""
    key = api.key("held", senders=["shop@example.com", "*@shop.example.com"])
    refused(api.send(key, **members), 403, "forbidden", "boss@example.com", "shop@example.com, *@shop.example.com")
    assert api.ids == []
    assert api.send(key).status_code == 202
    assert api.send(key, from_address="Anna <a@shop.example.com>").status_code == 202


def test_raw_mail_is_held_to_the_senders_too(api: Api) -> None:
    """The envelope sender, and a second From."""
    key = api.key("held", senders=["shop@example.com"])
    for query, head in (("&from=boss@example.com", "shop@example.com"), ("", "shop@example.com\r\nFrom: boss@example.com"), ("", "=?x?")):
        data = f"From: {head}\r\nSubject: x\r\n\r\nx\r\n".encode()
        answer = api.posted(data, "message/rfc822", f"/send_raw?to=a@example.net{query}", key=key)
        if answer.status_code == 202:  # the second From was taken out
            assert b"boss" not in api.content(answer.json()["id"])
        else:
            refused(answer, 403, "forbidden")


# what is refused


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"[" * 200_000, "nested too deeply"), (b'{"a":' * 50_000, "nested too deeply"),
        (b'{"subject": "a", "subject": "b"}', "stands twice"),
        (b'{"x": NaN}', "NaN"), (b'{"x": -Infinity}', "Infinity"), (b'{"subject": "\\ud800"}', "half of a character"),
        (b'{"1":1' + b',"1":1' * 1_000_000 + b"}", "beside its texts"), (b"", "Expecting value"),
        (b'{"subject": "\xff"}', "no UTF-8"), ('{"subject": "x"}'.encode("utf-16"), "no UTF-8"), (b'{"a": 1' + b"0" * 5000 + b"}", "digit"),
        (b"{} {}", "Extra data"),
    ],
    ids=["brackets", "objects", "twice", "nan", "infinity", "surrogate", "members", "empty", "latin", "utf-16", "number", "two"],
)  # fmt: skip
def test_what_is_no_json_is_refused(api: Api, body: bytes, why: str) -> None:
    """400 and a sentence, whatever it is."""
    refused(api.posted(body), 400, "bad_json", why)


@pytest.mark.parametrize("char", ["\r", "\n", "\0", "\r\nBcc: x@example.org"])
@pytest.mark.parametrize(
    "member",
    [
        "from_address",
        "reply_to_address",
        "to_addresses",
        "cc_addresses",
        "bcc_addresses",
        "subject",
        "request_id",
        "header",
        "filename",
        "content_type",
        "content_id",
        "message_id",
        "in_reply_to",
        "priority",
    ],
)
def test_no_member_begins_a_second_line(api: Api, member: str, char: str) -> None:
    """A line end or a NUL in one is refused, not mended."""
    text = f"a@example.com{char}"
    file = {"filename": "a.txt", "data_base64": "YQ=="}
    members: dict[str, Any] = {
        "to_addresses": {"to_addresses": [text]}, "cc_addresses": {"cc_addresses": [text]}, "bcc_addresses": {"bcc_addresses": [text]},
        "header": {"headers": {"X-One": text}}, "filename": {"attachments": [{**file, "filename": text}]},
        "content_type": {"attachments": [{**file, "content_type": f"text/plain{char}"}]},
        "content_id": {"attachments": [{**file, "content_id": text}]},
    }.get(member, {member: text})  # fmt: skip
    answer = api.send(**members)
    assert answer.status_code == 400, answer.text
    assert api.ids == []


@pytest.mark.parametrize(
    ("members", "code", "member", "words"),
    [
        ({"to_addresses": ["a@example.net", "b@"]}, "bad_address", "to_addresses[1]", "b@"),
        ({"to_addresses": ..., "to": ["b@"]}, "bad_address", "to[0]", "b@"),
        ({"bcc_addresses": ["@"]}, "bad_address", "bcc_addresses[0]", "@"),
        ({"from_address": ...}, "bad_address", "from_address", "no author"),
        ({"to_addresses": ...}, "bad_address", "to_addresses", "no recipient"),
        ({"to_addresses": []}, "bad_address", "to_addresses", "no recipient"),
        ({"subjet": "x"}, "bad_payload", "", "did you mean subject?"),
        ({"subject": 7}, "bad_subject", "subject", "no text"), ({"priority": "urgent"}, "bad_priority", "priority", "urgent"),
        ({"attachments": [{"filename": "a"}]}, "bad_attachments", "attachments", "data_base64"),
        ({"attachments": [{"filename": "a", "data_base64": "?"}]}, "bad_attachments", "attachments", "no base 64"),
        ({"subject": "x" * 1001}, "bad_subject", "subject", "submission.max_subject_length"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_member(api: Api, members: dict[str, Any], code: str, member: str, words: str) -> None:
    """By the name that the client has used, and of a list the place."""
    refused(api.send(**members), 400, code, words, member=member)
    assert api.ids == []


@pytest.mark.slow
def test_limits_are_refused_with_their_settings(api: Api) -> None:
    """The operator's words, so that a client knows whom to ask."""
    large = base64.b64encode(b"x" * 26_000_000).decode()
    refused(
        api.send(attachments=[{"filename": "a", "data_base64": large}]),
        400,
        "bad_attachments",
        "submission.max_attachment_size",
        member="attachments",
    )
    people = [f"u{number}@example.net" for number in range(10_001)]
    refused(api.send(to_addresses=people), 400, "too_many_recipients", "submission.max_recipients")
    refused(api.send(headers={"X-Long": "x " * 1_000_000}), 400, "bad_message", "submission.max_header_size")
    raw = b"From: a@example.com\r\n\r\n" + b"x" * 26_000_000
    refused(api.posted(raw, "message/rfc822", "/send_raw?to=a@example.net"), 413, "too_large", "submission.max_message_size")
    assert api.ids == []


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/json; charset=latin-1"]
)
def test_another_media_type_is_refused(api: Api, kind: str) -> None:
    """415, with the one that is taken."""
    refused(api.posted(b"{}", kind), 415, "unsupported_media_type", "application/json")


def test_a_packed_body_is_refused(api: Api) -> None:
    """Nobody unpacks anything here."""
    answer = api.ask("POST", "/send_email", content=b"\x1f\x8b", headers={"Content-Type": "application/json", "Content-Encoding": "gzip"})
    refused(answer, 415, "unsupported_encoding")


def test_json_with_a_charset_is_json(api: Api) -> None:
    """As clients write it."""
    assert (
        api.posted(b'{"from":"a@example.com","to":"b@example.net","subject":"\xc3\xa4"}', 'Application/JSON; charset="UTF-8"').status_code
        == 202
    )


def test_a_download_url_becomes_a_link(api: Api) -> None:
    """Whatever it leads to; what it looks like is held by the composer."""
    id = api.sent(attachments=[{"filename": "a.pdf", "download_url": "http://169.254.169.254/latest"}])
    assert b"http://169.254.169.254/latest" in api.content(id)


def test_a_name_without_a_domain_gets_that_of_the_settings(tmp_path: Path) -> None:
    """Where there is one, as everywhere else."""
    made = Api(tmp_path, 'default_domain = "example.org"')
    assert made.envelope(made.sent(to_addresses=["root"])).recipients[0].address == "root@example.org"
    made.close()


# raw


def test_a_message_may_be_handed_in_whole(api: Api) -> None:
    """To those of the query, or of its header; a request id makes it once."""
    data = b"From: shop@example.com\r\nTo: anna@example.net\r\nBcc: bob@example.net\r\nSubject: x\r\n\r\nh\xc3\xa4\r\n"
    headers = {"Content-Type": "message/rfc822", "Idempotency-Key": "raw-1"}
    first, again = (api.ask("POST", "/send_raw", content=data, headers=headers).json() for _ in range(2))
    assert (first["id"], again["repeat"]) == (again["id"], True)
    assert {each["address"] for each in first["recipients"]} == {"anna@example.net", "bob@example.net"}
    query = "?to=carl@example.net&to=dora@example.net&from=bounces@example.com&priority=high"
    envelope = api.envelope(api.posted(data, "message/rfc822", f"/send_raw{query}").json()["id"])
    assert [each.address for each in envelope.recipients] == ["carl@example.net", "dora@example.net"]
    assert (envelope.sender, envelope.priority) == ("bounces@example.com", "high")
    assert b"bob@" not in api.content(envelope.id)


def test_what_nobody_knows_of_a_query_is_refused(api: Api) -> None:
    """A recipient that is misspelt must not get lost."""
    answer = api.posted(b"Subject: x\r\n\r\nx", "message/rfc822", "/send_raw?to=a@example.net&cc=b@example.net")
    refused(answer, 400, "bad_request", "'cc'", member="cc")
    refused(api.posted(b"", "message/rfc822", "/send_raw?to=a@example.net"), 400, "bad_message", "empty")
    refused(api.posted(b"Subject: x\r\n\r\nx", "message/rfc822", "/send_raw"), 400, "bad_message")
    assert api.ids == []
