"""Limits, sources and reactions in the configuration: what is taken, what is refused and how that is said."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.config import Config
from mailer.config.expression import LONGEST, Expression
from mailer.config.file import at, config_of, examine
from mailer.config.kinds import Rate
from mailer.config.model import as_lines

WHOLE = """
[delivery]
message_rate = "5000/min"
connection_rate = "10/s"
messages_per_connection = 500
recipients_per_message = 50
known_replies = false
[breaker]
threshold = 5
first = "2m"
longest = "1h"
[relay.out]
host = "smtp.example.com"
[[source]]
name = "new"
addresses = ["192.0.2.10", "2001:db8::10"]
hello = "new.example.com"
warm_up = [50, 100, 500]
[[source]]
name = "old"
addresses = ["192.0.2.11"]
[[shape]]
match = ["*.Google.com", "relay:out"]
share = true
max_connections = 10
initial_connections = 3
message_rate = "2000/h"
connection_rate = "30/min"
messages_per_connection = 100
recipients_per_message = 20
breaker_threshold = 2
breaker_first = "30s"
breaker_longest = "5m"
retry_schedule = ["10m", "1h"]
sources = ["new", "old"]
warm_up = [10, 20]
[[reaction]]
reply = 'too many connections from .{0,40}'
match = ["*.google.com"]
codes = [421, 450]
phases = ["greeting", "mail"]
action = "slow"
duration = "30m"
[[reaction]]
reply = "user is gone for ever"
action = "fail"
"""
SOURCE = '[[source]]\nname = "a"\naddresses = ["192.0.2.1"]\n'
REACTION = '[[reaction]]\nreply = "slow down"\naction = "slow"\nduration = "1h"\n'


def problems(text: str) -> list[str]:
    """All that is wrong with a file, as the user sees it."""
    return [at("c.toml", problem) for problem in examine("c.toml", text.encode())[1]]


def test_all_of_it() -> None:
    """Every setting there is arrives as the program wants it: patterns in small letters, durations in seconds."""
    config = config_of("", WHOLE.encode())
    (shape,) = config.shapes
    assert [*map(str, shape.match)] == ["*.google.com", "relay:out"]
    assert (shape.share, shape.max_connections, shape.initial_connections) == (True, 10, 3)
    assert (shape.message_rate, shape.connection_rate) == (Rate(2000, 3600.0), Rate(30, 60.0))
    assert (shape.breaker_first, shape.retry_schedule) == (30.0, (600.0, 3600.0))
    assert [source.name for source in config.sources] == ["new", "old"]
    assert config.sources[0].warm_up == (50, 100, 500)
    assert (config.breaker.threshold, config.breaker.longest) == (5, 3600.0)
    assert config.reactions[0].duration == 1800.0
    assert config.reactions[1].duration is None


def test_nothing_is_limited_by_default() -> None:
    """Without a word about it there is no rate, no source, no rule; what [[shape]] does not say is not set."""
    config = Config()
    assert (config.delivery.message_rate, config.delivery.connection_rate, config.delivery.messages_per_connection) == (None, None, None)
    assert (config.shapes, config.sources, config.reactions) == ((), (), ())
    (shape,) = config_of("", b'[[shape]]\nmatch = ["*"]\n').shapes
    assert {shape.max_connections, shape.breaker_first, shape.messages_per_connection} == {None}


def test_it_is_shown_as_it_is_read() -> None:
    """``mailer config show`` writes a file that means the same."""
    config = config_of("", WHOLE.encode())
    assert config_of("", "\n".join(as_lines(config)).encode()) == config


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[shape]\nmatch = []\n", "c.toml:1: shapes are a list; write [[shape]] above each"),
        ("[[shape]]\nmax_connections = 3\n", 'c.toml:1: [[shape]] has no match; write match = "*.google.com"'),
        (
            '[[shape]]\nmatch = ["*"]\nmessage_rates = "1/s"\n',
            "c.toml:3: [[shape]] has no setting message_rates; did you mean message_",
        ),
        ('[[shape]]\nmatch = ["*"]\nmessage_rate = "100"\n', 'c.toml:3: message_rate: "100" is no rate; write "10/s"'),
        ('[[shape]]\nmatch = ["*"]\nmessage_rate = "0/s"\n', 'c.toml:3: message_rate: "0/s" is no rate'),
        ('[[shape]]\nmatch = ["*"]\nmessage_rate = 100\n', "c.toml:3: message_rate: 100 is no text"),
        ('[[shape]]\nmatch = ["*"]\nmax_connections = 0\n', "c.toml:3: max_connections: 0 is no whole number from 1 on"),
        ('[[shape]]\nmatch = ["a b"]\n', "c.toml:2: match: "),
        ('[[shape]]\nmatch = "*.google.com"\n', 'c.toml:2: match: "*.google.com" is no list'),
        ('[relay.out]\nhost = "h"\n[[shape]]\nmatch = ["relay:oot"]\n', "c.toml:4: there is no [relay.oot]; did you mean [relay.out]?"),
        (SOURCE + '[[shape]]\nmatch = ["*"]\nsources = ["b"]\n', "c.toml:6: there is no source b; there are a"),
        ('[[shape]]\nmatch = ["*"]\nwarm_up = [0]\n', "c.toml:3: warm_up: 0 is no whole number"),
        ('[[source]]\nname = "a"\n', "c.toml:1: [[source]] has no addresses"),
        (SOURCE + SOURCE, "c.toml:5: line 2 has a source a already"),
        (SOURCE.replace('"192.0.2.1"', '"192.0.2.1", "192.0.2.2"'), "c.toml:3: a source has one address of each family"),
        (SOURCE.replace("192.0.2.1", "host.example"), "c.toml:3: addresses: "),
        (SOURCE.replace('"a"', '"a b"'), 'c.toml:2: name: "a b" is no name'),
        (REACTION.replace("slow down", "("), "c.toml:2: reply: this is no regular expression: missing )"),
        (REACTION.replace("slow down", ""), "c.toml:2: reply: an expression has 1 to 400 characters"),
        (REACTION.replace("slow down", "(a+)+"), "c.toml:2: reply: this repeats more than one character at a time"),
        (REACTION.replace('"slow"', '"stop"'), 'c.toml:3: action: "stop" is none of pause | slow | source | defer | fail'),
        (REACTION.replace('duration = "1h"', ""), 'c.toml:3: slow needs a time; write duration = "1h"'),
        (REACTION.replace('"slow"', '"fail"'), "c.toml:4: a message that is given up waits for nothing"),
        (REACTION + "codes = [250]\n", "c.toml:5: codes: 250 is no code of a refusal"),
        (REACTION + 'phases = ["hello"]\n', 'c.toml:5: phases: "hello" is none of'),
        (REACTION + 'phases = ["connect"]\n', 'c.toml:5: phases: "connect" is none of'),
        ('[breaker]\nfirst = "2h"\n', "c.toml:1: this is shorter than first"),
        ("[breaker]\nthreshhold = 2\n", "c.toml:2: [breaker] has no setting threshhold; did you mean threshold?"),
    ],
)
def test_mistakes(text: str, problem: str) -> None:
    """Each is told with its line, and what may have been meant."""
    (told,) = problems(text)
    assert told.startswith(problem)


@pytest.mark.parametrize(
    "evil",
    [
        "(a+)+$", "(a|a)*$", "(a|aa)+b", "(.*)*x", "(?:a?){50}", "a?" * 60, "(a|a)" * 40, ".*.*.*x", r"(a)\1", "(?=a)b", "(?<!a)b",
        "(a|a|a)" * 11 + "b", "(a|b|.*)(.*)x",
        "(?>a)b", "a{300}{300}", "(a{1,99}){1,99}", ".*(a|b|c)?.*(d|e|f)?", "x" * (LONGEST + 1), "[", "(?P<n>a)(?(n)b|c)",
    ],
)  # fmt: skip
def test_expressions_that_could_take_for_ever(evil: str) -> None:
    """They are refused, however they hide it."""
    with pytest.raises(ValueError, match=r"expression|repeat|ahead"):
        Expression(evil)


@pytest.mark.parametrize(
    "plain",
    [
        r"421[ -]4\.7\.28",
        "too many (open )?connections",
        r"^550 .*spamhaus\.org",
        "a.*b.*c",
        "[a-z]+ limit|rate limit",
        r"\d{1,3}\.\d{1,3}",
    ],
)
def test_expressions_that_people_write(plain: str) -> None:
    """They are taken, and stay quick on the worst of texts."""
    taken = Expression(plain)
    for text in ("a" * 5000, "ab" * 2500, "421 " * 1000, "1.1." * 1000):
        began = time.thread_time()
        taken.found(text)
        assert time.thread_time() - began < 1.0


@given(st.text(alphabet="ab.*+?{}()|[]1,2", max_size=14))
def test_no_expression_takes_long(expression: str) -> None:
    """Whatever is taken is done with any reply in a moment; whatever is not is refused in words."""
    try:
        taken = Expression(expression)
    except ValueError:
        return  # refused in words
    began = time.thread_time()
    taken.found("ab" * 150 + "a" * 200)
    assert time.thread_time() - began < 2.0


def test_capitals_make_no_difference() -> None:
    """Replies are written by people."""
    assert Expression("Greylist").found("451 4.7.1 you are GREYLISTED")
    assert not Expression("^greylist").found("451 greylisted")
    assert not Expression("end").found("x" * LONGEST + "end")


def test_an_expression_with_two_wide_repetitions_sees_less_of_a_reply() -> None:
    """They share each stretch of it in all ways, so that twice the text is eight times the work."""
    assert Expression("a.*b").found("a" + "x" * 300 + "b")
    assert Expression("a.*b.*c").found("abc" + "x" * 300)
    assert not Expression("a.*b.*c").found("ab" + "x" * 300 + "c")
