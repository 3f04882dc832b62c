from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.config import kinds, sections, values
from mailer.config.sections import Kind


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("5m", 300), ("4h", 14400), ("2d", 172800), ("1.5h", 5400), ("0.2s", 0.2), (90, 90), (0, 0), ("0s", 0)],
)
def test_durations(text: object, seconds: float) -> None:
    """A number with its unit, or whole seconds."""
    assert values.duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "5", "m", "5 m", "5M", "-5m", "1h30m", "5min", ".5s", "5.s", "1e3s", "٣s", "inf", 1.5, -1, True, None, [], 10**30, "99999d"],
)
def test_what_is_no_duration(text: object) -> None:
    """Anything else is refused with examples; more than ten years is a slip."""
    with pytest.raises(ValueError, match=r'is no duration; write "90s", "5m", "4h" or "2d"'):
        values.duration(text)


@pytest.mark.parametrize(
    ("text", "octets"), [("25MB", 25_000_000), ("25MiB", 26_214_400), ("1KB", 1000), ("1.5KiB", 1536), ("7B", 7), (99, 99)]
)
def test_sizes(text: object, octets: int) -> None:
    """KB, MB and GB count in thousands, KiB, MiB and GiB in steps of 1024."""
    assert values.size(text) == octets


@pytest.mark.parametrize("text", ["", "25", "25M", "25mb", "0MB", 0, -1, "1TB", True, 2.5, "9999999GB"])
def test_what_is_no_size(text: object) -> None:
    """Anything else is refused with examples, and so is nothing at all."""
    with pytest.raises(ValueError, match="is no size; write"):
        values.size(text)


@given(st.one_of(st.integers(1, values.LONGEST), st.sampled_from([0.2, 1.5, 90.0, 5400.0])))
def test_durations_are_written_as_they_are_read(seconds: float) -> None:
    """What ``config show`` writes is read as the same value."""
    assert math.isclose(values.duration(kinds.write(sections.DURATION, float(seconds))), seconds)


@given(st.integers(1, values.LARGEST))
def test_sizes_are_written_as_they_are_read(octets: int) -> None:
    """What ``config show`` writes is read as the same value."""
    assert values.size(kinds.write(sections.SIZE, octets)) == octets


@given(st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.lists(st.text()), st.dictionaries(st.text(), st.text())))
def test_readers_know_one_error(value: object) -> None:
    """Whatever stands in the file, a reader takes it or raises `ValueError` with one line."""
    for kind in (*vars(sections).values(), *vars(kinds).values()):
        if isinstance(kind, Kind):
            try:
                kind.read(value)
            except ValueError as error:
                assert "\n" not in str(error)  # noqa: PT017


@pytest.mark.parametrize(
    ("kind", "value", "problem"),
    [
        (sections.PATH, "etc/x", "no whole path"),
        (sections.PATH, "", "no whole path"),
        (sections.PATH, "~nobody-knows/x", "there is no user nobody-knows"),
        (kinds.HOST, "smtp.example.com:587", 'is a host with a port; write host = "smtp.example.com" and port = 587'),
        (kinds.HOST, "[::1", "is no domain"),
        (kinds.HOST, "::1]", "is no domain"),
        (kinds.HOST, "[2001:db8::1]:465", 'is a host with a port; write host = "2001:db8::1" and port = 465'),
        (kinds.HOST, "smtps://smtp.example.com:465/", 'write host = "smtp.example.com" and port = 465'),
        (kinds.HOST, "smtp://smtp.example.com", 'is no host; write host = "smtp.example.com"'),
        (kinds.HOST, "smtp.example.com..", "take the dot at its end away"),
        (kinds.SERVER, "a.example:" + "9" * 5000, "is no port"),
        (kinds.SERVER, "a.example:", "has no port behind the colon"),
        (kinds.SERVER, "a.example:ntp", "has no port behind the colon"),
        (kinds.NAMESERVER, "192.0.2.1:" + "9" * 5000, "is no name server"),
        (sections.TEXT, "a\tb", "control character"),
        (sections.TEXT, 5, "5 is no text; write it in quotes"),
        (sections.COUNT, 0, "no whole number"),
        (sections.COUNT, True, "true is no whole number"),
        (sections.SWITCH, "yes", '"yes" is neither true nor false'),
        (kinds.PORT, 65536, "65536 is no port"),
        (kinds.FRACTION, 1.0, "not between 0 and 1"),
        (kinds.FRACTION, float("nan"), "not between 0 and 1"),
        (kinds.PERIOD, "0s", "longer than nothing"),
        (sections.HOSTNAME, "a b", "is no domain"),
        (sections.HOSTNAME, "a ", "take the spaces away"),
        (sections.HOSTNAME, "é.example", "with xn--"),
        (sections.OPTIONAL_DOMAIN, "a@b", "is no domain"),
        (sections.ADDRESS, "root", "it has no domain"),
        (kinds.HOST, "::g", "is no domain"),
        (kinds.NAMESERVER, ["192.0.2.1"], "write it without the brackets"),
        (kinds.NAMESERVER, "dns.example", "is no name server"),
        (kinds.NAMESERVER, "127.0.0.1:x", "is no name server"),
        (kinds.NAMESERVER, "::1:53:", "is no name server"),
        (kinds.NAMESERVER, "192.0.2.1:", "is no name server"),
        (kinds.NAMESERVER, "192.0.2.1:0", "is no name server"),
        (kinds.NAMESERVER, "[::1", "is no name server"),
        (kinds.NAMESERVER, "[::1]x53", "is no name server"),
        (kinds.PATTERN, "*@x", "is no domain"),
        (kinds.PATTERN, "*.*.x", "is no domain"),
        (kinds.HOP, "relay:", "is no way out"),
        (kinds.HOP, "smtp", "is no way out"),
        (kinds.COMMAND, " ", "the command is empty"),
        (kinds.COMMAND, "a 'b", "quotation"),
        (kinds.COMMAND, [1], "is no text"),
        (kinds.choice("a", "b"), "c", r'"c" is none of a \| b'),
        (kinds.several(kinds.PORT), 5, "is no list"),
        (kinds.several(kinds.PORT, least=1), [], "the list is empty"),
    ],
)
def test_what_is_refused(kind: Kind[Any], value: object, problem: str) -> None:
    """Each kind says what is wrong with a value."""
    with pytest.raises(ValueError, match=problem) as caught:
        kind.read(value)
    assert "\t" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "value", "result"),
    [
        (kinds.HOST, "[::1]", "::1"),
        (kinds.HOST, "2001:DB8::1", "2001:db8::1"),
        (kinds.HOST, "192.0.2.1", "192.0.2.1"),
        (kinds.HOST, "Smtp.example", "Smtp.example"),
        (kinds.NAMESERVER, "192.0.2.1", ("192.0.2.1", 0)),
        (kinds.NAMESERVER, "192.0.2.1:5353", ("192.0.2.1", 5353)),
        (kinds.NAMESERVER, "2001:db8::1", ("2001:db8::1", 0)),
        (kinds.NAMESERVER, "[2001:db8::1]:53", ("2001:db8::1", 53)),
        (kinds.SERVER, "ntp.example", ("ntp.example", 0)),
        (kinds.SERVER, "ntp.example:1123", ("ntp.example", 1123)),
        (kinds.SERVER, "2001:db8::1", ("2001:db8::1", 0)),
        (kinds.SERVER, "[2001:db8::1]", ("2001:db8::1", 0)),
        (kinds.SERVER, "[2001:db8::1]:123", ("2001:db8::1", 123)),
        (kinds.SERVER, "", None),
        (kinds.PATTERN, "*.Example.NET.", ("*.example.net", "*.example.net")),
        (kinds.PATTERN, "*.bücher.example", ("*.bücher.example", "*.xn--bcher-kva.example")),
        (kinds.PATTERN, "*", ("*", "*")),
        (kinds.TARGET, "relay:Out", ("relay:Out", "relay:Out")),
        (kinds.HOP, "relay:out", ("relay", "out")),
        (kinds.HOP, "mx", ("mx", "")),
        (kinds.RATE, "5/m", (5, 60.0)),
        (kinds.MOMENT, "1970-01-01T00:00:01Z", 1.0),
        (kinds.MOMENT, "", None),
        (kinds.COMMAND, "pass 'a b'", ("pass", "a b")),
        (kinds.COMMAND, ["pass", "a b"], ("pass", "a b")),
        (sections.PATH, "/a/./b/", "/a/b"),
    ],
)
def test_what_is_taken(kind: Kind[Any], value: object, result: object) -> None:
    """Names lose what does not matter; addresses come without brackets; commands are split without a shell."""
    assert kind.read(value) == result


def test_the_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A path may begin with ~, also in a command, which no shell runs."""
    monkeypatch.setenv("HOME", "/home/me")
    assert values.path("~/spool") == "/home/me/spool"
    for written in ("~/bin/secret -k ~/.keys '~other' a~/b", ["~/bin/secret", "-k", "~/.keys", "~other", "a~/b"]):
        assert kinds.COMMAND.read(written) == ("/home/me/bin/secret", "-k", "/home/me/.keys", "~other", "a~/b")


@pytest.mark.parametrize("kind", [kinds.SECRET_PATH, kinds.VARIABLE])
def test_a_password_in_the_wrong_place_is_not_repeated(kind: Kind[Any]) -> None:
    """Who writes the password where its place belongs does not find it in the log."""
    with pytest.raises(ValueError, match="this is no") as caught:
        kind.read("hunter-2!")
    assert "hunter" not in str(caught.value)


@pytest.mark.parametrize("kind", [kinds.HOST, sections.DOMAIN, sections.HOSTNAME])
def test_a_name_that_is_empty_is_said_to_be(kind: Kind[Any]) -> None:
    """A host has no @ after which something could stand."""
    with pytest.raises(ValueError, match="there is nothing in it"):
        kind.read("")


def test_a_host_may_have_a_dot_at_its_end() -> None:
    """Kubernetes writes it so, to say that the name is whole; no certificate has it."""
    assert kinds.HOST.read("smtp.mail.svc.cluster.local.") == "smtp.mail.svc.cluster.local"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (["a@example.com"], 'write it without the brackets: "a@example.com"'),
        (["a", "b"], "write one, in quotes and without"),
        (5, "no text"),
    ],
)
def test_a_list_where_one_value_belongs_says_so(value: object, words: str) -> None:
    """And shows how the one in it is written."""
    with pytest.raises(ValueError, match=words):
        values.text(value)
