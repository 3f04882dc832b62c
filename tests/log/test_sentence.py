"""The log as sentences, for who sits in front of the daemon."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mailer.events import AlarmBegun, AlarmOver, Daemon, Event, Judged, ReportsHeard, Seen, Tried, Unsubscribed
from mailer.mail.outcome import Outcome
from mailer.status.story import HeardReport
from tests.fakes.mail import NOW, outcome
from tests.log.test_log import HOP, HOSTILE, ID, LOGIN, entry, written

BOUNCE = HeardReport(
    "0" * 26, 0, NOW, "box", "bounce", "none", "", -1, "bob@example.net", "failed", "5.1.1", "nobody", "unknown-user", "nothing"
)


@pytest.fixture(autouse=True)
def _utc(zone: Callable[[str], None]) -> None:
    zone("UTC")


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (Daemon(NOW, "ready", "queued=1"), "daemon     ready: queued=1"),
        (Seen(NOW, entry()), f"queued     {ID} from me@example.com to 2 recipients, 1,234 bytes"),
        (
            Tried(NOW, entry(), [outcome(0, "delivered", hop=HOP, code=250, enhanced="2.0.0", text="taken", at=NOW)]),
            f"sent       {ID} to you@example.net, mx.example.net over TLSv1.3, after 2.5 s: 250 2.0.0 taken",
        ),
        (
            Tried(NOW, entry(), [outcome(1, "defer", hop=HOP, text="later", at=NOW, due=NOW + 3600)]),
            f"deferred   {ID} to two@example.net, mx.example.net: 451 4.3.0 later; next try 09:00",
        ),
        (ReportsHeard(NOW, [BOUNCE]), "report     bounce about bob@example.net: 5.1.1 nobody: nothing"),
        (
            ReportsHeard(NOW, [BOUNCE._replace(message=ID, effect="bounced"), BOUNCE]),
            f"report     {ID} bounce about bob@example.net and 1 more: 5.1.1 nobody: bounced",
        ),
        (ReportsHeard(NOW, [HeardReport("0" * 26, 0, NOW, "box", "none", "none")]), "report     none"),
        (ReportsHeard(NOW, []), "report     none"),
        (Judged(NOW, "OWNER", "ann@example.com", "MAIL", "ham"), "judged     ann@example.com says that MAIL is no spam"),
        (Judged(NOW, "OWNER", "", "MAIL", "spam"), "judged     OWNER says that MAIL is spam"),
        (Unsubscribed(NOW, "bob@example.net", "news", ID), "unsubscribed bob@example.net wants no more mail of news"),
        (AlarmBegun(NOW, LOGIN), "alarm      relay refuses our login; to mend it: username of [relay.out]"),
        (AlarmOver(NOW + 5400, LOGIN, "it takes our login"), "alarm      over after 1.5 h: login: it takes our login"),
    ],
)
def test_what_happened_is_a_sentence(event: Event, said: str) -> None:
    assert written(event, form="sentence") == [f"08:00:00 {said}" if event.at == NOW else f"09:30:00 {said}"]


@pytest.mark.parametrize("text", HOSTILE)
def test_nobody_outside_breaks_it_or_colours_it(text: str) -> None:
    refused: list[Outcome] = [outcome(0, "fail", text=f"no{text}2026 sent", hop=HOP)]
    (line,) = written(Tried(NOW, entry(message_id=f"<{text}>"), refused), form="sentence")
    assert line.isprintable()
    assert line.startswith("08:00:00 failed ")


def test_the_clock_is_the_one_on_the_wall(zone: Callable[[str], None]) -> None:
    zone("UTC-2")
    assert written(Daemon(NOW, "ready"), form="sentence") == ["10:00:00 daemon     ready"]
