"""What holds of a message whatever is done to it, in whatever order."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mailer.mail.outcome import Outcome
from mailer.mail.problem import Problem
from mailer.spool.files.store import SpoolDirectory
from mailer.spool.files.sweep import sweep
from tests.fakes.chance import examples
from tests.fakes.mail import BODY, NOW, outcome, put

DIRECTORIES = ("queued", "deferred", "held", "failed", "corrupt")
VERDICTS = st.sampled_from(["delivered", "defer", "fail", "expire"])


class Life(RuleBasedStateMachine):
    """One message with three recipients, and all that the daemon, an operator and the sweeper may do to it."""

    @initialize()
    def begin(self) -> None:
        self.spool = SpoolDirectory(tempfile.mkdtemp(prefix="mailer-test-") + "/spool")
        self.id = put(self.spool, "a@example.com", "b@example.com", "c@example.com")
        self.gone = False
        self.known: list[Outcome] = []
        self.held = False
        self.now = NOW

    def teardown(self) -> None:
        if hasattr(self, "spool"):
            shutil.rmtree(os.path.dirname(self.spool.root))

    @precondition(lambda self: not self.gone)
    @rule(verdicts=st.lists(VERDICTS, min_size=3, max_size=3), recorded=st.booleans())
    def attempt(self, verdicts: list[str], recorded: bool) -> None:
        """The daemon tries whoever is pending and settles, as the contract's table says."""
        if self.spool.find(self.id) not in ("queued", "deferred"):
            return
        self.now += 60
        with self.spool.claim(self.id) as claim:
            history = claim.entry.history
            outcomes = [
                outcome(to, verdicts[to], at=self.now, due=self.now + 60 if verdicts[to] == "defer" else 0.0)  # type: ignore[arg-type]
                for to in history.pending()
            ]
            if recorded:
                self.spool.record(claim, outcomes)
            history.add(outcomes)
            self.known += outcomes
            if history.status() == "sent":
                self.spool.drop(claim)
                self.gone = True
            elif history.pending():
                self.spool.defer(claim, [] if recorded else outcomes, history.due)
            else:
                self.spool.fail(claim, [] if recorded else outcomes)

    @rule(act=st.sampled_from(["hold", "release", "retry"]))
    def operate(self, act: str) -> None:
        """An operator moves it, if it can be moved."""
        movable = ("queued", "held") if act == "release" else ("queued", "deferred", "held")
        if self.spool.find(self.id) in movable:
            self.held = getattr(self.spool, act)(self.id).state == "held"
        else:
            with pytest.raises(Problem) as caught:
                getattr(self.spool, act)(self.id)
            assert caught.value.kind == ("no-such" if self.gone else "bad-message")

    @precondition(lambda self: not self.gone)
    @rule()
    def cancel(self) -> None:
        """An operator gives it up."""
        if self.spool.find(self.id) != "failed":
            entry = self.spool.cancel(self.id, self.now)
            self.known += entry.history.outcomes[len(self.known) :]
            self.held = False

    @rule(hours=st.sampled_from([1, 50, 1000]))
    def sweep(self, hours: int) -> None:
        """Time passes and what is left over goes; a message goes only when it has failed and its retention is over."""
        failed = self.spool.find(self.id) == "failed"
        mtime = os.stat(self.spool.path("failed", self.id)).st_mtime if failed else 0.0
        sweep(self.spool, mtime + hours * 3600, 100 * 3600, 0)
        if failed and hours == 1000:
            self.gone = True

    @invariant()
    def in_exactly_one_directory(self) -> None:
        """Invariant (b): in exactly one besides tmp/; in none once it was delivered or kept long enough."""
        if hasattr(self, "spool"):
            places = [name for name in DIRECTORIES if os.path.lexists(f"{self.spool.root}/{name}/{self.id}")]
            assert len(places) == (0 if self.gone else 1)
            assert os.listdir(f"{self.spool.root}/tmp") == []

    @invariant()
    def nothing_is_stuck(self) -> None:
        """Invariants (c) and (e): each recipient is due, held, or has a final outcome; nothing else ends a message."""
        if not hasattr(self, "spool") or self.gone:
            return
        entry = self.spool.read(self.id)
        assert entry.history.outcomes == self.known
        assert (entry.state == "held") == self.held
        assert (entry.state == "failed") == entry.history.done
        if entry.state == "deferred":
            assert entry.due > NOW
        assert self.spool.content(self.id) == BODY


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=examples(40), stateful_step_count=25)


def test_a_file_of_a_message_is_never_written_anew(tmp_path: Path) -> None:
    """Invariant (a), as far as one process can see it: the file that was synced is the file that is there, by its inode."""
    spool = SpoolDirectory(str(tmp_path / "spool"))
    id = put(spool, "a@example.com")
    inode = os.stat(spool.path("queued", id)).st_ino
    spool.hold(id)
    spool.release(id)
    with spool.claim(id) as claim:
        spool.defer(claim, [outcome(0, "defer", due=NOW)], NOW)
    assert os.stat(spool.path("deferred", id)).st_ino == inode
