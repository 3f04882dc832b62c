"""The Sender Rewriting Scheme: there and back, once, twice and three times over; what nobody has made leads nowhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mail.address import parse
from mailer.srs import DAYS, NotTurnedBack, day_of, forward, is_rewritten, reverse

SECRET, OTHER = b"0123456789abcdef", b"another secret"
TODAY = 20_788
LOCAL = st.text(st.sampled_from('abcXYZ019=+-._ "\\@ü'), min_size=1, max_size=30)


def test_a_sender_is_rewritten_and_turned_back() -> None:
    """It stands in the local part, with a hash and a day."""
    made = forward("Ann@Example.org", "mx.example.com", SECRET, TODAY)
    assert made == "SRS0=M1qk=JU=Example.org=Ann@mx.example.com"
    assert reverse(made, [SECRET], TODAY) == "Ann@Example.org"
    assert is_rewritten(made)
    assert not is_rewritten("Ann@Example.org")
    assert not is_rewritten("srs0@example.org")


def test_a_second_forwarder_points_to_the_first_and_a_third_takes_his_place() -> None:
    """The address does not grow again, and the first one's hash is his to judge."""
    first = forward("ann@example.org", "one.example", SECRET, TODAY)
    second = forward(first, "two.example", OTHER, TODAY)
    third = forward(second, "six.example", b"third", TODAY)
    assert second.startswith("SRS1=")
    assert len(third) == len(second)
    assert reverse(third, [b"third"], TODAY) == reverse(second, [OTHER], TODAY) == first
    assert reverse(first, [SECRET], TODAY) == "ann@example.org"


def test_case_makes_no_difference_on_the_way_back() -> None:
    """Hosts write local parts as they like; the sender comes back in the case that they chose."""
    made = forward("ann@example.org", "example.com", SECRET, TODAY)
    assert reverse(made.upper(), [SECRET], TODAY).lower() == reverse(made.lower(), [SECRET], TODAY) == "ann@example.org"


def test_a_secret_that_was_replaced_is_still_read() -> None:
    """Whichever it is; without any nothing is turned back."""
    made = forward("ann@example.org", "example.com", OTHER, TODAY)
    assert reverse(made, [SECRET, OTHER], TODAY) == "ann@example.org"
    for secrets in ([SECRET], []):
        with pytest.raises(NotTurnedBack, match="not made here"):
            reverse(made, secrets, TODAY)


@pytest.mark.parametrize(("days", "known"), [(0, True), (1, True), (DAYS, True), (DAYS + 1, False), (500, False), (1023, False)])
@pytest.mark.parametrize("made_on", [TODAY, 1023, 1024 * 20 + 1020])
def test_it_is_good_for_three_weeks(made_on: int, days: int, known: bool) -> None:
    """Also where the count of days begins anew between."""
    made = forward("ann@example.org", "example.com", SECRET, made_on)
    if known:
        assert reverse(made, [SECRET], made_on + days) == "ann@example.org"
    else:
        with pytest.raises(NotTurnedBack, match="older than 21 days"):
            reverse(made, [SECRET], made_on + days)


def test_a_time_has_a_day() -> None:
    """In UTC, counted from 1970."""
    assert [day_of(at) for at in (0.0, 86399.9, 86400.0, 1796097600.0)] == [0, 0, 1, TODAY]


@pytest.mark.parametrize(
    "address",
    [
        "SRS0=M1qk=JU=example.org=bob@example.com",
        "SRS0=M1qk=JT=example.org=ann@example.com",
        "SRS0=M1qk=JU=example.net=ann@example.com",
        "SRS0==JU=example.org=ann@example.com",
        "SRS0=zzD=JU=example.org=ann@example.com",
        "SRS0=zzD0=J1=example.org=ann@example.com",
        "SRS0=zzD0=JUU=example.org=ann@example.com",
        "SRS0=zzD0=JU=example.org@example.com",
        "SRS0=zzD0=JU==ann@example.com",
        "SRS0=@example.com",
        "SRS0==@example.com",
        "SRS1=zzD0=JU=example.org=ann@example.com",
        "SRS1=zzD0==example.org==JU=ann@example.com",
        "SRS1=@example.com",
        "SRS2=zzD0=JU=example.org=ann@example.com",
        "SRS0@example.com",
        "SRS0zzD0=JU=example.org=ann@example.com",
        "SRS0=züD0=JU=example.org=ann@example.com",
        "ann@example.com",
        "@example.com",
        "",
    ],
)
def test_what_nobody_made_leads_nowhere(address: str) -> None:
    """Forged, cut short, or of another form: one class of error, whatever it is."""
    with pytest.raises(NotTurnedBack):
        reverse(address, [SECRET, OTHER], TODAY)


def test_a_null_sender_and_one_without_room_stay_as_they_are() -> None:
    """Nobody answers the first (RFC 5321 §4.5.5), and an address has 254 octets."""
    long = f"{'a' * 64}@{'.'.join(['b' * 60] * 3)}.example"
    assert forward("", "example.com", SECRET, TODAY) == ""
    assert forward(long, "example.com", SECRET, TODAY) == long


def test_a_local_part_may_be_longer_than_others_write_them() -> None:
    """The 64 octets of RFC 5321 §4.5.3.1.1 are the least that a host takes, and mail of mailing lists comes near them by itself."""
    made = forward(f"bounces+{'a' * 50}@lists.example.org", "example.com", SECRET, TODAY)
    assert len(made.partition("@")[0]) > 64
    assert reverse(made, [SECRET], TODAY) == f"bounces+{'a' * 50}@lists.example.org"


@given(LOCAL, st.sampled_from(["example.org", "Sub.Example.ORG", "bücher.example", "[192.0.2.1]"]), st.integers(0, 99_999))
def test_whoever_can_write_gets_the_answer(local: str, domain: str, day: int) -> None:
    """Quotes, signs that have a meaning here, and letters beyond ASCII come through both ways, and what is made is an address."""
    from mailer.mail.address import ascii_address, dot_string

    sender = ascii_address(f"{dot_string(local)}@{domain}")
    made = forward(sender, "example.com", SECRET, day)
    assert str(parse(made, longest=254)) == made
    again = forward(made, "example.net", OTHER, day)
    assert reverse(reverse(again, [OTHER], day), [SECRET], day) == sender


@given(st.text(max_size=300))
def test_whatever_comes_is_an_address_of_ours_or_is_refused(text: str) -> None:
    """No other error, and nobody finds a hash by chance."""
    for form in ("SRS0=", "SRS1="):
        with pytest.raises(NotTurnedBack):
            reverse(f"{form}{text}@example.com", [SECRET], TODAY)
