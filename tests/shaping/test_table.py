"""The terms of a destination: which sections match it, what each of them says, and what destinations have together."""

from __future__ import annotations

import pytest

from mailer.config import Config
from mailer.config.file import config_of
from mailer.config.kinds import Rate
from mailer.shaping.table import TermsTable
from mailer.transport.route import Route

T0 = 1_800_000_000.0
GOOGLE = "mx:alt1.aspmx.l.google.com,aspmx.l.google.com"


def table(text: str, before: TermsTable | None = None) -> TermsTable:
    """The table of a configuration."""
    return TermsTable(config_of("c.toml", text.encode()), before.measured if before else None)


def route(key: str) -> Route:
    """One that leads there."""
    return Route(key, (), key.startswith("relay:"))


def shape(match: str, *settings: str) -> str:
    """A section of the file."""
    return "\n".join(["[[shape]]", f'match = ["{match}"]', *settings, ""])


def test_what_holds_without_a_word() -> None:
    """Two connections at first and twenty at most; five for a relay; the breaker opens after three; no rate."""
    terms = TermsTable(Config())(route("mx:a.example"))
    assert (terms.window_start, terms.window_max) == (2, 20)
    assert (terms.breaker_threshold, terms.breaker_first, terms.breaker_longest) == (3, 60.0, 900.0)
    assert (terms.messages_per_connection, terms.recipients_per_message, terms.retry_schedule) == (0, 100, ())
    assert (terms.throttle.messages, terms.throttle.connections, terms.throttle.rooms) == ([], [], [])
    assert TermsTable(Config())(route("relay:out")).window_start == 5
    own = TermsTable(Config())(route("local"))
    assert own.window_start == own.window_max == 20


@pytest.mark.parametrize(
    ("pattern", "key", "hit"),
    [
        ("*.google.com", GOOGLE, True),
        ("*.L.Google.com", GOOGLE, True),
        ("aspmx.l.google.com", GOOGLE, True),
        ("google.com", GOOGLE, False),
        ("*.oogle.com", GOOGLE, False),
        ("*", GOOGLE, True),
        ("*", "relay:out", True),
        ("relay:out", "relay:out", True),
        ("relay:out", "relay:outer", False),
        ("relay:out", "relay:first relay:out", True),
        ("*.google.com", f"relay:out {GOOGLE}", True),
        ("out", "relay:out", False),
        ("mx", "relay:out", False),
        ("mx", GOOGLE, True),
        ("mx", f"relay:out {GOOGLE}", True),
        ("relay", "relay:out", False),
        ("*.example.com", f"{GOOGLE} for:*.example.com", True),
        ("*.example.com", f"{GOOGLE} for:*.example.org", False),
        ("*.bücher.example", "mx:mx.xn--bcher-kva.example", True),
    ],
)
def test_what_matches(pattern: str, key: str, hit: bool) -> None:
    """A relay by its name, MX hosts by theirs, a domain where the key says so; capitals and scripts make no difference."""
    relays = '[relay.out]\nhost = "h.example"\n' if "relay:" in pattern else ""
    assert (table(relays + shape(pattern, "max_connections = 7"))(route(key)).window_max == 7) == hit


def test_the_first_that_says_something() -> None:
    """Each setting is that of the first section that has it; what none has is [delivery]'s."""
    found = table(
        "[delivery]\nrecipients_per_message = 30\n"
        + shape("*.google.com", "max_connections = 3", "initial_connections = 9")
        + shape("*.example.org", "max_connections = 1", "messages_per_connection = 1")
        + shape("*", "max_connections = 8", "messages_per_connection = 50", 'breaker_first = "30m"', 'retry_schedule = ["7m"]')
    )
    terms = found(route(GOOGLE))
    assert (terms.window_start, terms.window_max) == (3, 3)
    assert (terms.messages_per_connection, terms.recipients_per_message) == (50, 30)
    assert (terms.breaker_first, terms.breaker_longest) == (1800.0, 1800.0)
    assert terms.retry_schedule == (420.0,)


def test_a_domain_that_is_named_is_a_destination_of_its_own() -> None:
    """Its limits are others than those of its neighbours on the same hosts; without a section for it, it is one with them."""
    found = table(shape("example.com", "max_connections = 1") + shape("*.google.com", "max_connections = 9"))
    key = found.key(GOOGLE, "Example.COM")
    assert key == f"{GOOGLE} for:example.com"
    assert found.key(GOOGLE, "example.org") == GOOGLE
    assert found.key(GOOGLE, "www.example.com") == GOOGLE
    assert (found(route(key)).window_max, found(route(GOOGLE)).window_max) == (1, 9)


def test_domains_below_a_pattern_stay_together() -> None:
    """A key says the pattern and not the domain, so a thousand domains are still one destination."""
    found = table(shape("*.example.com", "max_connections = 1"))
    assert found.key(GOOGLE, "a.example.com") == found.key(GOOGLE, "b.example.com") == f"{GOOGLE} for:*.example.com"
    assert found.key("mx:mx.example.com", "a.example.com") == "mx:mx.example.com"  # the host says it already


def test_each_has_its_own_rate() -> None:
    """Unless the section says that they share it."""
    found = table(shape("*.example", 'message_rate = "1/min"'))
    found(route("mx:a.example")).throttle.took(T0, 1)
    assert found(route("mx:a.example")).throttle.ready(T0, 1) == T0 + 60
    assert found(route("mx:b.example")).throttle.ready(T0, 1) == T0


def test_shared() -> None:
    """Customers of one operator, each with hosts of its own, have one rate and one number of connections; the rest of each is its own."""
    found = table(
        shape("*.mail.example", "share = true", 'message_rate = "1/min"', "max_connections = 1") + shape("*", 'connection_rate = "1/min"')
    )
    a, b = found(route("mx:a.mail.example")).throttle, found(route("mx:b.mail.example")).throttle
    a.took(T0, 1)
    assert b.ready(T0, 1) == T0 + 60
    a.opened(T0)
    assert b.ready_connection(T0) > T0
    a.closed()
    assert b.ready_connection(T0) == T0
    assert a.ready_connection(T0 + 10) == T0 + 60


def test_for_all_the_world() -> None:
    """The rates of [delivery] hold for all destinations together, besides those of each."""
    found = table('[delivery]\nmessage_rate = "1/s"\nconnection_rate = "1/min"\n' + shape("a.example", 'message_rate = "1/min"'))
    a, b = found(route("mx:a.example")).throttle, found(route("relay:out")).throttle
    a.took(T0, 1)
    a.opened(T0)
    assert (a.ready(T0, 1), b.ready(T0, 1)) == (T0 + 60, T0 + 1)
    assert b.ready_connection(T0) == T0 + 60


def test_a_reload_forgets_nothing() -> None:
    """Other limits hold at once, for what was measured before too."""
    before = table(shape("*", 'message_rate = "1/min"', "share = true", "max_connections = 1"))
    before(route("mx:a.example")).throttle.took(T0, 1)
    before(route("mx:a.example")).throttle.opened(T0)
    after = table(shape("*", 'message_rate = "2/min"', "share = true", "max_connections = 2"), before)
    del before
    throttle = after(route("mx:a.example")).throttle
    assert T0 < throttle.ready(T0, 1) <= T0 + 60
    assert throttle.ready_connection(T0) == T0
    throttle.opened(T0)
    assert throttle.ready_connection(T0) > T0


def test_explain() -> None:
    """Every setting with its value and the line that it comes from."""
    found = table(
        "[delivery]\nrecipients_per_message = 30\n" + shape("*.google.com", 'message_rate = "2/s"', "share = true", "max_connections = 4")
    )
    said = {each.name: each for each in found.explain(GOOGLE)}
    assert said["message_rate"][1:] == (Rate(2, 1.0), "c.toml:5", 0, "*.google.com")
    assert said["max_connections"][1:4] == (4, "c.toml:7", 0)
    assert said["recipients_per_message"][1:] == (30, "c.toml:2", -1, "")
    assert said["initial_connections"][1:3] == (2, "built-in default")
    assert said["connection_rate"][1:3] == (None, "built-in default")
    assert said["retry_schedule"].value[0] == 60.0
    assert {each.name: each.value for each in found.explain(route("relay:out"))}["initial_connections"] == 5


def test_explain_says_the_number_that_holds() -> None:
    """Where one setting makes another impossible, the other is shown as what it comes to, with the line that makes it so."""
    found = table(shape("*", "initial_connections = 9", "max_connections = 3", 'breaker_first = "30m"'))
    said = {each.name: each[1:] for each in found.explain(GOOGLE)}
    assert said["initial_connections"] == said["max_connections"] == (3, "c.toml:4", 0, "")
    assert said["breaker_longest"] == said["breaker_first"] == (1800.0, "c.toml:5", 0, "")


def test_it_is_worked_out_once() -> None:
    """The terms of a destination are one value, however often they are asked for."""
    found = table(shape("*", 'message_rate = "1/s"'))
    assert found(route("mx:a.example")) is found(route("mx:a.example"))
