"""Who gets in: keys, what they may do, from where, how often, and what those learn who have none."""

from __future__ import annotations

import asyncio
import time
from statistics import median

import httpx
import pytest

from mailer.accounts.api import PREFIX, divided
from mailer.mail.problem import Problem
from mailer.operate.api_keys import remove, rotate, switch
from mailer.web import gate
from tests.web.api import Api, refused

GET = ("GET", "/status/nothing")


def bad_keys(api: Api) -> dict[str, str]:
    """Keys that open nothing, by what is wrong with them."""
    disabled, expired = api.key("disabled"), api.key("expired", expires=api.clock.now() + 60)
    asyncio.run(switch(api.keys, "disabled", disabled=True))
    [known] = asyncio.run(api.keys.find([divided(expired)[0]]))
    assert known is not None
    asyncio.run(api.keys.put([known._replace(expires=1.0)]))
    wrong = api.shop[:-1] + ("0" if api.shop[-1] != "0" else "1")
    return {"unknown": f"{PREFIX}{'0' * 40}", "wrong": wrong, "disabled": disabled, "expired": expired, "none": "hunter2"}


def test_whatever_is_wrong_with_a_key_the_answer_is_the_same(api: Api) -> None:
    """401 with the same octets, and the way to log in; also without any key."""
    found = {what: api.ask(*GET, key) for what, key in bad_keys(api).items()}
    found["no key"] = api.ask(*GET, None)
    found["another scheme"] = api.ask(*GET, None, headers={"Authorization": f"Basic {api.shop}"})
    assert {answer.status_code for answer in found.values()} == {401}
    assert len({answer.content for answer in found.values()}) == 1
    assert len({tuple(answer.headers.multi_items()) for answer in found.values()}) == 1
    assert found["wrong"].headers["WWW-Authenticate"].startswith("Bearer ")
    refused(found["wrong"], 401, "unauthorized", "Authorization: Bearer KEY")
    assert api.ask(*GET).status_code == 404


@pytest.mark.slow
def test_whatever_is_wrong_with_a_key_it_takes_as_long(api: Api) -> None:
    """As far as can be told: a key that was never there, and one of which only the secret is wrong."""
    keys = bad_keys(api)
    gate = api.desk.gate
    took: dict[str, list[float]] = {what: [] for what in keys if what != "none"}

    async def ask(what: str) -> float:
        gate._failures.clear()
        began = time.perf_counter()
        with pytest.raises(Exception, match="valid key"):
            await gate.admit("status", [f"Bearer {keys[what]}"], {}, None)
        return time.perf_counter() - began

    async def turns() -> None:
        for _ in range(500):
            for what, times in took.items():
                times.append(await ask(what))

    asyncio.run(turns())
    middle = {what: median(times) for what, times in took.items()}
    assert max(middle.values()) < 2 * min(middle.values()), middle  # what is left is less than the network swings by


def test_what_is_done_to_a_key_holds_within_a_second(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Switched off and on, given another secret, forgotten."""
    assert gate.FRESH <= 1
    monkeypatch.setattr(gate, "FRESH", 0.0)
    assert api.ask(*GET).status_code == 404
    asyncio.run(switch(api.keys, "shop", disabled=True))
    assert api.ask(*GET).status_code == 401
    asyncio.run(switch(api.keys, "shop", disabled=False))
    new = asyncio.run(rotate(api.keys, "shop", api.clock.now() + 60)).key
    assert [api.ask(*GET, key).status_code for key in (api.shop, new)] == [404, 404]
    asyncio.run(rotate(api.keys, "shop", 0.0))
    assert [api.ask(*GET, key).status_code for key in (api.shop, new)] == [401, 401]
    asyncio.run(remove(api.keys, "shop"))
    assert api.ask(*GET, new).status_code == 401


def test_a_file_of_keys_that_others_can_read_opens_nothing(api: Api, tmp_path: object) -> None:
    """503, and the log has the reason, not the client."""
    file = api.spool.place.replace("/spool", "/api-keys.toml")
    with open(file, "a") as changed:  # so that it is read again
        changed.write("\n")
    import os

    os.chmod(file, 0o644)
    answer = api.ask(*GET)
    message = refused(answer, 503, "unavailable")
    assert "api-keys" not in message
    assert "chmod 600" in api.told[-1].reason
    with pytest.raises(Problem):
        asyncio.run(api.keys.all())


@pytest.mark.parametrize("query", ["key={}", "api_key=x", "access_token={}", "note={}"])
def test_a_key_in_the_address_is_refused(api: Api, query: str) -> None:
    """Whatever else the request has, for an address is written into logs; the answer does not repeat it."""
    answer = api.ask("GET", "/status/nothing?" + query.format(api.shop))
    refused(answer, 400, "key_in_query", "no place in an address")
    assert api.shop not in answer.text


def test_a_scope_that_is_missing_is_named(api: Api) -> None:
    """403 for each endpoint that needs another one."""
    only = {scope: api.key(f"only-{scope}", scope) for scope in ("send", "status")}
    refused(api.send(only["status"]), 403, "missing_scope", "no scope send")
    refused(api.ask(*GET, only["send"]), 403, "missing_scope", "no scope status")
    refused(api.ask("POST", "/messages/x/cancel", only["status"]), 403, "missing_scope", "no scope manage")
    assert api.ids == []


def test_a_key_is_used_from_its_networks(api: Api) -> None:
    """From elsewhere it is refused, which is no failure of the key."""
    key = api.key("near", networks=["192.0.2.0/24", "2001:db8::/32"])
    assert api.ask(*GET, key, client="192.0.2.9").status_code == 404
    assert api.ask(*GET, key, client="2001:db8::1").status_code == 404
    refused(api.ask(*GET, key, client="192.0.3.9"), 403, "wrong_network")


def test_many_failures_of_one_address_have_to_wait(api: Api) -> None:
    """The eleventh in a minute is told so; other addresses, and good keys, are unhurt."""
    bad = f"{PREFIX}{'0' * 40}"
    assert [api.ask(*GET, bad, client="192.0.2.1").status_code for _ in range(10)] == [401] * 10
    answer = api.ask(*GET, bad, client="192.0.2.1")
    refused(answer, 429, "too_many_failures")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert api.ask(*GET, bad, client="192.0.2.2").status_code == 401
    assert api.ask(*GET, client="192.0.2.1").status_code == 404


def test_an_address_of_ipv6_counts_as_its_network(api: Api) -> None:
    """A customer has as many as he likes."""
    bad = f"{PREFIX}{'0' * 40}"
    found = [api.ask(*GET, bad, client=f"2001:db8::{number:x}").status_code for number in range(1, 12)]
    assert found == [401] * 10 + [429]
    assert api.ask(*GET, bad, client="2001:db8:0:1::1").status_code == 401


def test_failures_are_forgotten_after_a_minute(api: Api) -> None:
    """By the clock that nobody sets."""
    now = [1000.0]
    api.desk.gate._waited = lambda: now[0]
    bad = f"{PREFIX}{'0' * 40}"
    assert [api.ask(*GET, bad).status_code for _ in range(11)] == [401] * 10 + [429]
    now[0] += 61
    assert api.ask(*GET, bad).status_code == 401


def test_a_key_has_its_rate(api: Api) -> None:
    """What is more is told to come again, and when; other keys are unhurt."""
    from mailer.config.kinds import Rate

    now = [1000.0]
    api.desk.gate._waited = lambda: now[0]
    key = api.key("slow", rate=Rate(3, 60.0))
    assert [api.ask(*GET, key).status_code for _ in range(3)] == [404] * 3
    answer = api.ask(*GET, key)
    refused(answer, 429, "too_many_requests", "3 requests in 60 seconds")
    assert answer.headers["Retry-After"] == "20"
    assert api.ask(*GET).status_code == 404
    now[0] += 20
    assert [api.ask(*GET, key).status_code for _ in range(2)] == [404, 429]


def test_two_keys_at_once_are_none(api: Api) -> None:
    """Somebody between could have added one."""
    headers = httpx.Headers([("Authorization", f"Bearer {api.shop}"), ("Authorization", f"Bearer {api.shop}")])
    assert api.ask(*GET, None, headers=headers).status_code == 401
