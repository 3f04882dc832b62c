"""What the sender of a message may ask for."""

from __future__ import annotations

import pytest

from mailer.mail.delivery_options import NOTHING, Request, Wanted


def test_nothing() -> None:
    """Most messages ask for nothing, and an envelope without options says so; options of others are left alone."""
    assert Request.read({}) == NOTHING
    assert Request.read({"campaign": "spring"}) == NOTHING


def test_everything() -> None:
    """All that can be asked can stand in the options of an envelope."""
    options = {
        "ret": "HDRS",
        "envid": "no 1",
        "require_tls": True,
        "by": 600,
        "by_return": False,
        "by_trace": True,
        "priority": 4,
        "hold": "2026-12-24T18:00:00Z",
        "notify": "SUCCESS",
        "orcpt": "rfc822;list@example.org",
        "recipients": {"ann@example.org": {"notify": "NEVER"}},
    }
    request = Request.read(options)
    assert (request.ret, request.envid, request.require_tls, request.by, request.priority) == ("HDRS", "no 1", True, 600, 4)
    assert request.of("ann@example.org") == Wanted("NEVER")
    assert request.of("bob@example.org") == Wanted("SUCCESS", "rfc822;list@example.org")


@pytest.mark.parametrize(
    "options",
    [
        {"ret": "ALL"},
        {"ret": 1},
        {"envid": "x" * 101},
        {"envid": "a\r\nRCPT TO:<x@y.example>"},
        {"envid": "ü"},
        {"require_tls": "yes"},
        {"require_tls": 1},
        {"by": 0},
        {"by": True},
        {"by": -1},
        {"by": 10**9},
        {"by": "60"},
        {"priority": 10},
        {"priority": -10},
        {"priority": False},
        {"hold": -1},
        {"hold": 10**9},
        {"hold": "tomorrow"},
        {"hold": "2026-12-24T18:00:00Z\r\n"},
        {"notify": "ALWAYS"},
        {"notify": "NEVER,SUCCESS"},
        {"notify": "SUCCESS,SUCCESS"},
        {"notify": "success"},
        {"notify": ["SUCCESS"]},
        {"orcpt": "ann@example.org"},
        {"orcpt": ";ann@example.org"},
        {"orcpt": "rfc822;"},
        {"orcpt": "rf c;ann@example.org"},
        {"orcpt": "rfc822;a\nb@example.org"},
        {"orcpt": "rfc822;" + "x" * 500},
        {"recipients": []},
        {"recipients": {"ann@example.org": "NEVER"}},
        {"recipients": {"ann@example.org": {"notify": 1}}},
        {"recipients": {"ann@example.org": {"notify": "MAYBE"}}},
    ],
)
def test_what_cannot_be_asked(options: dict[str, object]) -> None:
    """What no parameter can carry, or makes no sense, is refused when it is read, not when it is sent."""
    with pytest.raises(ValueError, match=r"\w"):
        Request.read(options)


def test_a_delay_may_have_passed() -> None:
    """Who wants to be told of a delay may be late already, RFC 2852 §4; who wants the message back may not."""
    assert Request(by=-5, by_return=False).by == -5
    with pytest.raises(ValueError, match="-5"):
        Request(by=-5)
