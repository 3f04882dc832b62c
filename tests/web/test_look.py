"""Looking at mail: a key sees what came by it, at once, and nothing else."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from mailer.submit import Submission, submit
from tests.fakes.mail import outcome
from tests.status.office import Office
from tests.web.api import MAIL, Api, lines_of, refused

NOBODY = "01M7XZE2ZPFN5M9C7PXGDNNSF8"


def test_a_message_is_found_at_once_by_its_three_names(api: Api) -> None:
    """By its ID in either case, its request id, and its Message-ID; also while no daemon has seen it."""
    sent = api.send(request_id="order/1 a").json()
    id, header = sent["id"], sent["header_message_id"]
    for name in (id, id.lower(), "order%2F1%20a", "order/1 a", header, header.strip("<>")):
        answer = api.ask("GET", f"/status/{name}")
        assert answer.status_code == 200, name
        found = answer.json()
        assert (found["id"], found["status"], found["message_id"], found["request_id"]) == (id, "queued", header, "order/1 a")
        assert [each["address"] for each in found["recipients"]] == ["anna@example.net"]


def test_what_is_told_is_what_the_command_line_tells(api: Api) -> None:
    """The same members with the same values."""
    id = api.sent()
    from mailer.status.sqlite import view

    with view(api.spool) as seen:
        record = seen.message(id)
        assert record is not None
        assert api.ask("GET", f"/status/{id}").json() == record.as_json()


def test_mail_of_others_is_not_there(api: Api) -> None:
    """That of another key, and of a user of this machine: the same 404 as for what never was, by every name and endpoint."""
    other = api.key("other", "send", "status", "manage")
    theirs = api.send(other, request_id="r", subject="a secret").json()
    local = submit(
        Submission(b"Subject: x\n\nx", recipients=["a@example.net"], request_id="q"), api.config.submitting, time.time()
    ).envelope
    nothing = api.ask("GET", f"/status/{NOBODY}")
    refused(nothing, 404, "not_found")
    for name in (theirs["id"], "r", theirs["header_message_id"], local.id, "q", local.message_id):
        for method, path in (
            ("GET", "/status/{}"),
            ("GET", "/explain/{}"),
            ("POST", "/messages/{}/cancel"),
            ("POST", "/messages/{}/replay"),
        ):
            answer = api.ask(method, path.format(name))
            assert (answer.status_code, answer.content) == (404, nothing.content), (method, path, name)
    assert api.ask("GET", "/status?recipient_email=anna@example.net").json() == []
    assert api.ask("GET", "/status").json() == []
    assert len(api.ask("GET", "/status", other).json()) == 1
    assert api.ids == sorted([theirs["id"], local.id])


def test_a_list_is_of_what_the_query_means(api: Api) -> None:
    """By recipient, sender, state and time, the newest first."""
    ids = [api.sent(to_addresses=[to]) for to in ("a@example.net", "b@example.net", "A@EXAMPLE.NET")]

    def listed(query: str) -> list[str]:
        return [one["id"] for one in api.ask("GET", f"/status?{query}").json()]

    assert listed("") == ids[::-1]
    assert listed("recipient_email=a@example.net") == [ids[2], ids[0]]
    assert listed("recipient_email=*@example.net") == ids[::-1]
    assert listed("recipient_email=nobody@example.net") == []
    assert listed("from=shop@example.com&state=queued,deferred&since=1h") == ids[::-1]
    assert listed("from=other@example.com") == listed("state=sent") == listed("since=2100-01-01T00:00:00Z") == []
    assert listed("since=2020-01-01T00:00:00%2B02:00") == ids[::-1]


def test_a_list_goes_on_where_its_link_leads(api: Api) -> None:
    """Each message once, whatever the page; as lines where they are asked for."""
    ids = [api.sent(subject=str(number)) for number in range(5)]
    for query in ("limit=2", "limit=2&recipient_email=anna@example.net"):
        path, found = f"/status?{query}", []
        while path:
            answer = api.ask("GET", path, headers={"Accept": "application/x-ndjson"})
            found += [one["id"] for one in lines_of(answer)]
            path = answer.links.get("next", {}).get("url", "")
            assert not path or "&after=" in path
        assert found == ids[::-1]


@pytest.mark.parametrize("query", ["limit=10", "limit=10&recipient_email=anna@example.net"])
def test_a_page_has_a_bound_in_recipients(api: Api, monkeypatch: pytest.MonkeyPatch, query: str) -> None:
    """A hundred messages with thousands of recipients each would be the memory of a machine: the page ends before, and says where."""
    for module in ("mailer.operate.program_view", "mailer.status.view"):
        monkeypatch.setattr(f"{module}.PEOPLE", 4)
    ids = [api.sent(to_addresses=["anna@example.net", "b@example.net", "c@example.net"], subject=str(number)) for number in range(3)]
    answer = api.ask("GET", f"/status?{query}")
    assert [one["id"] for one in answer.json()] == ids[:0:-1]
    assert [one["id"] for one in api.ask("GET", answer.links["next"]["url"]).json()] == ids[:1]


@pytest.mark.parametrize("path", ["/status", "/status/{}", "/explain/{}"])
def test_an_answer_is_made_beside_the_loop(api: Api, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """It may be of ten thousand recipients: others have their answers meanwhile."""
    names: list[str] = []
    plain = json.dumps

    def dumps(*args: Any, **more: Any) -> str:
        names.append(threading.current_thread().name.partition("_")[0])
        return plain(*args, **more)

    id = api.sent()
    monkeypatch.setattr(json, "dumps", dumps)
    assert api.ask("GET", path.format(id)).status_code == 200
    assert set(names) == {"web"}


def test_what_has_left_is_known_to_the_database(tmp_path: Path) -> None:
    """Also where the mail of others is among it, and by each name and list."""
    office, api = Office(tmp_path), Api(tmp_path)
    other = api.key("other")
    sent = [api.send(key, subject=str(number), request_id="r").json() for number, key in enumerate(("", other))]
    sent.append(api.send(subject="last").json())
    for one in sent:
        office.settle(one["id"], outcome())
    assert api.ids == []
    for name in (sent[0]["id"], "r", sent[0]["header_message_id"]):
        assert api.ask("GET", f"/status/{name}").json()["status"] == "sent"
    mine = [sent[2]["id"], sent[0]["id"]]
    for query in ("", "?recipient_email=anna@example.net", "?state=sent", "?from=shop@example.com"):
        assert [one["id"] for one in api.ask("GET", f"/status{query}").json()] == mine, query
    assert api.ask("GET", f"/status/{sent[1]['id']}").status_code == 404
    office.close()
    api.close()


@pytest.mark.parametrize(
    ("query", "member"),
    [
        ("recipient=a@example.net", "recipient"), ("state=lost", "state"), ("limit=0", "limit"),
        ("limit=1001", "limit"), ("limit=x", "limit"),
        ("after=x", "after"), ("since=yesterday", "since"), ("limit=1&limit=2", "limit"), ("recipient_email=%00", ""),
    ],
)  # fmt: skip
def test_what_a_query_cannot_mean_is_refused(api: Api, query: str, member: str) -> None:
    """With the member that is wrong; a filter that is misspelt would show all."""
    refused(api.ask("GET", f"/status?{query}"), 400, "bad_request", member=member)


def test_a_parameter_that_nobody_knows_and_one_that_stands_twice(api: Api) -> None:
    """Each is said as what it is."""
    refused(
        api.ask("GET", "/status?recipient=a"), 400, "bad_request", "there is no 'recipient'; there are recipient_email,", member="recipient"
    )
    refused(api.ask("GET", "/status?limit=1&limit=2"), 400, "bad_request", "'limit' stands twice", member="limit")
    answer = api.posted(b"To: a@example.net\n\nx", "message/rfc822", "/send_raw?from=a@example.com&from=b@example.com")
    refused(answer, 400, "bad_request", "'from' stands twice", member="from")


def test_a_name_of_several_messages_is_no_name(api: Api) -> None:
    """409, with their IDs."""
    ids = [api.sent(message_id="<same@example.com>", subject=subject) for subject in "ab"]
    message = refused(api.ask("GET", "/status/<same@example.com>"), 409, "ambiguous", "2 messages")
    assert all(id in message for id in ids)


def test_a_message_is_explained(api: Api) -> None:
    """What holds it up, and what would help: while no daemon runs, that."""
    found = api.ask("GET", f"/explain/{api.sent(to_addresses=['a@nowhere.invalid'])}").json()
    assert found["recipients"][0]["blocked_by"][0]["kind"] == "daemon"
    assert found["daemon"] == {"running": False, "pid": None}


def test_what_has_not_left_is_cancelled(api: Api) -> None:
    """Once and again; the answer is the message as it is then, and the reason names the key."""
    id = api.sent(request_id="r")
    for _ in range(2):
        found = api.ask("POST", "/messages/r/cancel").json()
        assert (found["id"], found["status"]) == (id, "cancelled")
        assert found["recipients"][0]["reply"] == "cancelled by its sender, key:shop"
    assert api.spool.ids("queued") == []


def test_what_was_given_up_is_replayed(api: Api) -> None:
    """As a new message of the same key; what waits is not."""
    id = api.sent()
    refused(api.ask("POST", f"/messages/{id}/replay"), 409, "wrong_state", "queued")
    api.ask("POST", f"/messages/{id}/cancel")
    found = api.ask("POST", f"/messages/{id}/replay").json()
    assert found["status"] == "queued"
    assert found["id"] != id
    assert api.envelope(found["id"]).principal == "key:shop"
    assert api.ask("GET", f"/status/{found['id']}").status_code == 200
    assert api.content(found["id"]).endswith(MAIL["body_plain"].encode() + b"\r\n")


def test_a_damaged_file_is_nobodys(api: Api) -> None:
    """It is not told whose it was, and stops no list."""
    good, bad = api.sent(), api.sent(subject="x")
    path = Path(api.spool.place) / "queued" / bad
    path.write_bytes(path.read_bytes().replace(b"key:shop", b"key:shoq"))
    assert api.ask("GET", f"/status/{bad}").status_code == 404
    assert [one["id"] for one in api.ask("GET", "/status").json()] == [good]
