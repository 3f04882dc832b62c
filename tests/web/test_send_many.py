"""Handing in many messages at once: one result each, in their order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mailer.mail.problem import Problem
from mailer.spool.files import layout
from tests.web.api import MAIL, Api, lines_of, refused

BAD = {"from": "a@example.com", "to": ["nobody"]}


def array(*payloads: Any) -> bytes:
    return json.dumps(payloads).encode()


def numbered(count: int) -> list[dict[str, Any]]:
    return [{**MAIL, "subject": f"{number}"} for number in range(count)]


def test_each_message_has_its_result(api: Api) -> None:
    """Those that are right are in the spool, whatever is wrong with others."""
    answer = api.posted(array(MAIL, BAD, 7, {**MAIL, "subject": "last"}), path="/send_emails")
    assert answer.status_code == 202
    first, second, third, fourth = answer.json()
    assert api.ids == sorted([first["id"], fourth["id"]])
    assert second["error"]["member"] == "to[0]"
    assert third["error"]["code"] == "bad_payload"
    assert api.envelope(fourth["id"]).subject == "last"
    assert api.envelope(first["id"]).principal == "key:shop"


def test_lines_are_taken_as_an_array_is(api: Api) -> None:
    """And answered with lines; one that is no JSON stops no other."""
    data = b"\n".join([json.dumps(MAIL).encode(), b"", b"{nonsense", json.dumps(MAIL).encode(), b""])
    answer = api.posted(data, "application/x-ndjson", "/send_emails")
    first, second, third = lines_of(answer)
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    assert api.ids == sorted([first["id"], third["id"]])
    assert second["error"]["code"] == "bad_json"


@pytest.mark.slow
def test_a_thousand_and_no_more(api: Api) -> None:
    """In order; the limit is a setting."""
    found = api.posted(array(*numbered(1000)), path="/send_emails").json()
    assert [api.envelope(one["id"]).subject for one in found] == [str(number) for number in range(1000)]
    assert len(api.ids) == 1000
    refused(api.posted(array(*numbered(1001)), path="/send_emails"), 400, "too_many", "api.batch")
    assert len(api.ids) == 1000


def test_each_may_have_its_request_id_or_all_have_one(api: Api) -> None:
    """The same batch again is the same messages; the second of two under one id is the first, or a conflict."""
    batch = array({**MAIL, "request_id": "a"}, MAIL, {**MAIL, "request_id": "a"}, {**MAIL, "request_id": "a", "subject": "other"})
    headers = {"Content-Type": "application/json", "Idempotency-Key": "batch-1"}
    first, again = (api.ask("POST", "/send_emails", content=batch, headers=headers).json() for _ in range(2))
    assert [one.get("id") for one in first] == [one.get("id") for one in again]
    assert first[0]["id"] == first[2]["id"]
    assert [one.get("repeat") for one in first] == [False, False, True, None]
    assert [one.get("repeat") for one in again] == [True, True, True, None]
    assert first[1]["request_id"] == "batch-1/1"
    assert first[3]["error"]["code"] == "conflict"
    assert len(api.ids) == 2


def test_senders_are_looked_at_one_by_one(api: Api) -> None:
    """One that the key may not name is refused, and the others are taken."""
    key = api.key("held", senders=["shop@example.com"])
    answer = api.posted(array(MAIL, {**MAIL, "from_address": "boss@example.com"}, MAIL), path="/send_emails", key=key)
    assert [one.get("error", {}).get("code") for one in answer.json()] == [None, "forbidden", None]


def test_where_none_is_taken_it_is_no_202(api: Api) -> None:
    """400, and why not, one by one."""
    answer = api.posted(array(BAD, {}), path="/send_emails")
    refused(answer, 400, "none_accepted")
    assert [one["error"]["member"] for one in answer.json()["results"]] == ["to[0]", "from_address"]
    refused(api.posted(b"[]", path="/send_emails"), 400, "bad_request")
    refused(api.posted(json.dumps(MAIL).encode(), path="/send_emails"), 400, "bad_request", "/send_email")
    assert api.ids == []


def test_a_disk_that_is_full_from_the_start_is_503(tmp_path: Path) -> None:
    """Nothing was taken."""
    full = Api(tmp_path, 'min_free_space = "1000000GB"')
    refused(full.posted(array(MAIL), path="/send_emails"), 503, "try_again")
    assert full.ids == []
    full.close()


@pytest.mark.slow
def test_a_disk_that_gets_full_takes_what_it_could(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was synced by then is told of with its ID, and of the others, that they are to be sent again."""
    asked = []

    def shortage(*_: object) -> None:
        asked.append(1)
        if len(asked) > 3:
            raise Problem("the disk is full; try again", "try-again")

    monkeypatch.setattr(layout, "check_space", shortage)
    found = api.posted(array(*numbered(600)), path="/send_emails").json()
    assert len(found) == 600
    taken = [one["id"] for one in found if "id" in one]
    assert 0 < len(taken) < 600
    assert api.ids == sorted(taken)
    assert {one["error"]["code"] for one in found if "id" not in one} == {"try_again"}
