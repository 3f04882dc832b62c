"""The log folds what is the same: a few lines in full, the rest as a count."""

from __future__ import annotations

import io
import json

from mailer.events import Tried
from mailer.log import Log
from mailer.log.folding import FEW, SPAN
from mailer.mail.outcome import Hop
from tests.fakes.mail import NOW, outcome
from tests.log.test_log import entry

DOWN = Hop("out.example", "192.0.2.1", 25)


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    found = [json.loads(line) for line in stream.getvalue().splitlines()]
    stream.seek(0)
    stream.truncate()
    return found


def test_two_thousand_of_the_same_are_a_few_lines() -> None:
    """Those that come after are counted from the first on, and other reasons stand for themselves."""
    stream = io.StringIO()
    log = Log(stream, form="json")
    for _ in range(2000):
        log.told(Tried(NOW, entry(), [outcome(0, "defer", scope="host", text="Connection refused", hop=DOWN, at=NOW)]))
    log.told(Tried(NOW, entry(), [outcome(0, "defer", scope="host", text="Timeout", hop=DOWN, at=NOW)]))
    assert [line["reply"] for line in lines(stream)] == ["Connection refused"] * FEW + ["Timeout"]
    log.unfold(NOW + SPAN - 1)
    assert lines(stream) == []
    log.unfold(NOW + SPAN)
    (line,) = lines(stream)
    assert (line["event"], line["same"], line["host"], line["reply"]) == ("deferred", 2000 - FEW, "out.example", "Connection refused")
    assert line["first"] == line["last"] == entry().id
    log.told(Tried(NOW + SPAN, entry(), [outcome(0, "defer", scope="host", text="Connection refused", hop=DOWN, at=NOW + SPAN)]))
    assert lines(stream) == []
    log.unfold(NOW + SPAN + 1, all=True)
    assert [line["same"] for line in lines(stream)] == [1]
    log.unfold(NOW + 10 * SPAN)
    assert lines(stream) == []


def test_what_is_about_one_message_is_written() -> None:
    """Also what is final, and all of it where somebody wants all."""
    for level, kind, scope, written in (
        ("info", "defer", "recipient", 10), ("info", "fail", "host", 10), ("debug", "defer", "host", 10), ("info", "defer", "host", FEW)
    ):  # fmt: skip
        stream = io.StringIO()
        log = Log(stream, form="json", level=level)
        for _ in range(10):
            log.told(Tried(NOW, entry(), [outcome(0, kind, scope=scope, text="no", hop=DOWN, at=NOW)]))  # type: ignore[arg-type]
        assert len(lines(stream)) == written
