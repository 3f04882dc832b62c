"""Whatever is put, leased, settled and acted on, in any order: each message is in one state, and none that was acknowledged is lost."""

from __future__ import annotations

import itertools
import tempfile
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from mailer.spool.api import Defer, Done, Drop, End, Entry, Fail, GiveBack, Lease, Note, Put, Spool, Trouble, at_once
from mailer.spool.files.spool import FileSpool
from mailer.spool.files.store import SpoolDirectory
from mailer.spool.memory import MemorySpool
from tests.fakes.chance import examples
from tests.fakes.mail import BODY, NOW, outcome

from .test_contract import new

STATES = ("queued", "deferred", "held", "failed")
KINDS = {"defer": Defer(NOW + 60), "fail": Fail(), "drop": Drop(), "give back": GiveBack()}
AFTER = {"defer": "deferred", "fail": "failed", "drop": ""}
WHAT = {"hold": "held", "release": "queued", "retry": "queued", "cancel": "failed"}


class Spools(RuleBasedStateMachine):
    """A spool, and what a client of it may expect: `places` says where each message is, `leases` who has one."""

    ids, leases = Bundle("ids"), Bundle("leases")

    def __init__(self) -> None:
        super().__init__()
        self.spool = self.made()
        self.places: dict[str, str] = {}
        self.held: set[str] = set()
        self.serial = itertools.count()

    def made(self) -> Spool:
        """One that is empty."""
        return MemorySpool()

    @rule(target=ids, due=st.booleans())
    def put(self, due: bool) -> str:
        letter = new(due=9e9 if due else 0.0)
        assert at_once(self.spool.put([letter])) == [Put(letter.id)]
        self.places[letter.id] = "deferred" if due else "queued"
        return letter.id

    @rule(target=leases, id=ids)
    def lease(self, id: str) -> Any:
        [entry] = at_once(self.spool.load([id]))
        assert isinstance(entry, Entry) == (self.places[id] in ("queued", "deferred"))
        if isinstance(entry, Trouble):
            return multiple()
        assert at_once(self.spool.content(entry)) == BODY
        [lease] = at_once(self.spool.lease([entry]))
        assert isinstance(lease, Lease) == (id not in self.held)
        if isinstance(lease, Trouble):
            self.spool.forget([entry])
            return multiple()
        self.held.add(id)
        return lease

    @rule(lease=consumes(leases), kind=st.sampled_from(sorted(KINDS)), note=st.booleans())
    def settle(self, lease: Lease, kind: str, note: bool) -> None:
        id = lease.entry.id
        learned = {"defer": [outcome(0, "defer", due=NOW + 60)], "fail": [outcome(0, "fail")]}.get(kind, [])
        notes = [Note("warned", NOW)] if note and kind in ("defer", "fail") else []
        [done] = at_once(self.spool.settle([End(lease, learned, KINDS[kind], (), notes)]))
        self.spool.forget([lease.entry])
        assert done == Done()
        assert not lease.valid()
        self.held.discard(id)
        self.places[id] = AFTER.get(kind, self.places[id])

    @rule(id=ids, what=st.sampled_from(sorted(WHAT)), dry=st.booleans())
    def act(self, id: str, what: Any, dry: bool) -> None:
        [acted] = at_once(self.spool.act(what, [id], NOW, dry=dry)).messages
        place = self.places[id]
        refused = place in ("", "failed") or (what == "release" and place == "deferred") or (id in self.held and not dry)
        assert (acted.problem is not None) == refused
        if not (refused or dry) and not (what == "retry" and place == "held"):
            self.places[id] = WHAT[what]

    @invariant()
    def each_is_where_it_should_be(self) -> None:
        found = at_once(self.spool.find([*self.places]))
        assert [each.state if each else "" for each in found] == [*self.places.values()]
        counts = at_once(self.spool.counts())
        assert {state: counts[state] for state in STATES} == {state: [*self.places.values()].count(state) for state in STATES}


class Files(Spools):
    """The same on a disk."""

    def made(self) -> Spool:
        """One in a directory of its own."""
        self.home = tempfile.TemporaryDirectory(prefix="spool")
        directory = SpoolDirectory(self.home.name)
        directory.prepare()
        return FileSpool(directory, 10)

    def teardown(self) -> None:
        """Let it go."""
        at_once(self.spool.close())
        self.home.cleanup()


TestMemory = Spools.TestCase
TestMemory.settings = settings(max_examples=examples(30), stateful_step_count=30, deadline=None)
TestFiles = Files.TestCase
TestFiles.settings = settings(max_examples=examples(15), stateful_step_count=25, deadline=None)
