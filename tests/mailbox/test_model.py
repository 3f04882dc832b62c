"""A mailbox against a plain model of one: two sessions, deaths in every transaction, and clients who come back and are told what is new."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule

from mailer.mail.flags import Flag
from mailer.mail.problem import Problem
from mailer.mailbox.api import LAST_UID, Flagged, NewMail, NoFolder
from mailer.mailbox.bodies.memory import MemoryBodies
from mailer.mailbox.box import MailboxTerms, OwnMailbox
from mailer.mailbox.engine.api import Rows
from mailer.mailbox.engine.sqlite import MemoryEngine
from mailer.mailbox.owners.memory import MemoryOwners

from .premises import ANN, DAY, NOW, message

NAMES = ["INBOX", "Junk", "Trash", "a", "a/b", "a/b/c", "d"]
ROUNDS = settings(stateful_step_count=40)
folders = st.sampled_from(NAMES)
flags = st.sampled_from([Flag(0), Flag.SEEN, Flag.DELETED, Flag.SEEN | Flag.DELETED, Flag.FLAGGED])
words = st.sampled_from([(), ("k",), ("K", "l")])
spans = st.one_of(st.none(), st.tuples(st.integers(1, 8), st.integers(0, 4)).map(lambda span: [(span[0], span[0] + span[1])]))


class Died(Exception):
    """The process, at its commit or before."""


class Mortal(MemoryEngine):
    """An engine that dies in its next change: before anything is done, before the commit, or after it."""

    death = ""

    def change(self, act):  # type: ignore[no-untyped-def]
        death, self.death = self.death, ""

        def acted(rows: Rows) -> object:
            done = act(rows)
            if death == "before":
                raise Died
            return done

        done = super().change(acted)
        if death == "after":
            raise Died
        return done


@dataclass(frozen=True)
class Message:
    mail: str
    flags: Flag
    words: frozenset[str]
    modseq: int


@dataclass
class Model:
    """A folder, as plainly as can be."""

    uidvalidity: int
    messages: dict[int, Message] = field(default_factory=dict)
    gone: dict[int, int] = field(default_factory=dict)
    uidnext: int = 1


@ROUNDS
class Sessions(RuleBasedStateMachine):
    """Two sessions on one mailbox, and what it should be."""

    once = Bundle("once")

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.engine = Mortal()
        self.bodies = MemoryBodies(lambda: self.now)
        self.owner = MemoryOwners().make(ANN, NOW)
        self.sessions = [self.session(), self.session()]
        self.model = {folder.name: Model(folder.uidvalidity) for folder in self.box.folders()}
        self.contents: dict[str, bytes] = {}
        self.delivered: dict[str, tuple[str, int, float]] = {}
        self.seen: dict[str, tuple[int, int, dict[int, tuple[Flag, frozenset[str]]]]] = {}
        self.uidvalidities = {folder.uidvalidity for folder in self.box.folders()}
        self.number = 0

    def session(self) -> OwnMailbox:
        return OwnMailbox(self.owner, self.engine, self.bodies, MailboxTerms(lambda: self.now))

    @property
    def box(self) -> OwnMailbox:
        self.sessions.reverse()
        return self.sessions[0]

    def id(self, name: str) -> int:
        folder = self.box.folder(name)
        return folder.id if folder else 99

    def chosen(self, name: str, uids: list[tuple[int, int]] | None) -> dict[int, Message]:
        first, last = uids[0] if uids else (1, LAST_UID)
        return {uid: each for uid, each in sorted(self.model[name].messages.items()) if first <= uid <= last}

    @initialize()
    def some(self) -> None:
        self.put("INBOX", Flag(0), (), 3)

    # What sessions do

    @rule(name=folders, flags=flags, words=words, many=st.integers(1, 3))
    def put(self, name: str, flags: Flag, words: tuple[str, ...], many: int) -> None:
        contents = [message(f"m{self.number + number}") for number in range(many)]
        self.number += many
        try:
            done = self.box.put([NewMail(name, content, flags=flags, keywords=words) for content in contents])
        except NoFolder:
            assert name not in self.model
            return
        for put, content in zip(done, contents, strict=True):
            self.contents[put.mail] = content
            self.add(name, put.uid, Message(put.mail, flags, frozenset(word.lower() for word in words), put.modseq))

    def add(self, name: str, uid: int, new: Message) -> None:
        folder = self.model[name]
        assert uid == folder.uidnext
        folder.uidnext += 1
        folder.messages[uid] = new

    @rule(target=once, name=folders, death=st.sampled_from(["", "before", "after"]))
    def deliver(self, name: str, death: str) -> str:
        self.number += 1
        spool_id = f"S{self.number}"
        self.attempt(spool_id, name, death)
        return spool_id

    @rule(spool_id=once, name=folders, death=st.sampled_from(["", "before", "after"]))
    def deliver_again(self, spool_id: str, name: str, death: str) -> None:
        self.attempt(spool_id, name, death)

    def attempt(self, spool_id: str, name: str, death: str) -> None:
        """A courier dies, and tries once more: the message is there once."""
        name = name if name in self.model else "INBOX"
        new = NewMail(name, message(spool_id), once=(spool_id, ANN))
        self.engine.death = death
        try:
            self.box.put([new])
        except Died:
            pass
        self.engine.death = ""
        (put,) = self.box.put([new])
        if spool_id in self.delivered:
            assert (put.fresh, (put.mail, put.uid)) == (False, self.delivered[spool_id][:2])
            return
        assert put.fresh == (death == "before")
        self.delivered[spool_id] = (put.mail, put.uid, self.now)
        self.contents[put.mail] = new.content
        modseq = next(entry.modseq for entry in self.box.entries(put.folder, [(put.uid, put.uid)]))
        self.add(name, put.uid, Message(put.mail, Flag(0), frozenset(), modseq))

    @rule(name=folders, uids=spans, how=st.sampled_from(["add", "remove", "set"]), flags=flags, words=words, stale=st.booleans())
    def flag(self, name: str, uids: list[tuple[int, int]] | None, how: str, flags: Flag, words: tuple[str, ...], stale: bool) -> None:
        since = self.seen[name][1] if stale and name in self.seen and name in self.model else None
        try:
            done: Flagged = self.box.flag(self.id(name), uids, how, flags, words, unchanged_since=since)  # type: ignore[arg-type]
        except NoFolder:
            assert name not in self.model
            return
        said = frozenset(word.lower() for word in words)
        found = self.chosen(name, uids)
        refused = [uid for uid, each in found.items() if since is not None and each.modseq > since]
        assert list(done.refused) == refused
        for uid, each in found.items():
            if uid not in refused:
                new = {
                    "add": (each.flags | flags, each.words | said),
                    "remove": (each.flags & ~flags, each.words - said),
                    "set": (flags, said),
                }[how]
                if new != (each.flags, each.words):
                    self.model[name].messages[uid] = Message(each.mail, *new, done.modseq)

    @rule(name=folders, uids=spans, to=folders, moves=st.booleans(), death=st.sampled_from(["", "", "before", "after"]))
    def carry(self, name: str, uids: list[tuple[int, int]] | None, to: str, moves: bool, death: str) -> None:
        box, id = self.box, self.id(name)
        before = {each.id: each.uidnext for each in box.folders()}
        self.engine.death = death
        try:
            copied = (box.move if moves else box.copy)(id, uids, to)
            pairs, modseq = copied.pairs, copied.modseq
        except NoFolder:
            assert name not in self.model or to not in self.model
            return
        except Died:
            if death == "before":
                return
            target = self.box.folder(to)
            assert target is not None
            new = [entry.uid for entry in box.entries(target.id) if entry.uid >= before[target.id]]
            pairs, modseq = list(zip(self.chosen(name, uids), new, strict=True)), target.modseq
        finally:
            self.engine.death = ""
        found = self.chosen(name, uids)
        assert [pair[0] for pair in pairs] == [*found]
        for uid, new_uid in pairs:
            self.add(to, new_uid, replace(found[uid], modseq=modseq))
        for uid in found if moves else ():
            del self.model[name].messages[uid]
            self.model[name].gone[uid] = modseq

    @rule(name=folders, uids=spans, marked=st.booleans())
    def expunge(self, name: str, uids: list[tuple[int, int]] | None, marked: bool) -> None:
        try:
            modseq, gone = self.box.expunge(self.id(name), uids, marked=marked)
        except NoFolder:
            assert name not in self.model
            return
        expected = [uid for uid, each in self.chosen(name, uids).items() if not marked or each.flags & Flag.DELETED]
        assert list(gone) == expected
        for uid in expected:
            del self.model[name].messages[uid]
            self.model[name].gone[uid] = modseq

    @rule(name=folders)
    def create(self, name: str) -> None:
        try:
            self.box.create(name)
        except Problem:
            assert name in self.model
            return
        assert name not in self.model
        for folder in self.box.folders():
            if folder.name not in self.model:
                assert folder.uidvalidity > max(self.uidvalidities)
                self.model[folder.name] = Model(folder.uidvalidity)
        self.uidvalidities.update(each.uidvalidity for each in self.model.values())

    @rule(name=folders)
    def delete(self, name: str) -> None:
        refused = name not in self.model or name == "INBOX" or any(each.startswith(f"{name}/") for each in self.model)
        try:
            self.box.delete(name)
        except Problem:
            assert refused
            return
        assert not refused
        del self.model[name]
        self.seen.pop(name, None)

    @rule(name=folders.filter(lambda name: name != "INBOX"), to=folders)
    def rename(self, name: str, to: str) -> None:
        refused = name not in self.model or (to in self.model and to != name) or to.startswith(f"{name}/")
        try:
            self.box.rename(name, to)
        except Problem:
            assert refused
            return
        assert not refused
        renamed = {each: to + each[len(name) :] for each in self.model if each == name or each.startswith(f"{name}/")}
        self.model = {renamed.get(each, each): folder for each, folder in self.model.items()}
        self.seen = {renamed.get(each, each): seen for each, seen in self.seen.items()}
        for folder in self.box.folders():
            if folder.name not in self.model:
                self.model[folder.name] = Model(folder.uidvalidity)
                self.uidvalidities.add(folder.uidvalidity)

    # What time does

    @rule(days=st.integers(1, 40))
    def sweep(self, days: int) -> None:
        self.now += days * DAY
        self.box.sweep(self.now)
        self.delivered = {spool_id: known for spool_id, known in self.delivered.items() if known[2] >= self.now - 14 * DAY}

    @rule()
    def restart(self) -> None:
        self.sessions = [self.session(), self.session()]

    # What has to be so

    @rule(name=folders)
    @precondition(lambda self: self.model)
    def come_back(self, name: str) -> None:
        """A client who was away is told what is new, and has all that there is then."""
        if name not in self.model:
            return
        uidvalidity, since, known = self.seen.get(name, (0, 0, {}))
        folder = self.model[name]
        if uidvalidity != folder.uidvalidity:
            since, known = 0, {}
        new = self.box.changes(self.id(name), since)
        if new.whole:
            known = {}
        known = {uid: each for uid, each in known.items() if uid not in new.vanished}
        known |= {entry.uid: (entry.flags, frozenset(word.lower() for word in entry.keywords)) for entry in new.entries}
        assert known == {uid: (each.flags, each.words) for uid, each in folder.messages.items()}
        self.seen[name] = (folder.uidvalidity, new.folder.modseq, known)

    @invariant()
    def is_as_the_model_says(self) -> None:
        box = self.box
        there = {folder.name: folder for folder in box.folders()}
        assert there.keys() == self.model.keys()
        for name, model in self.model.items():
            folder = there[name]
            entries = box.entries(folder.id)
            assert {
                entry.uid: Message(entry.mail, entry.flags, frozenset(word.lower() for word in entry.keywords), entry.modseq)
                for entry in entries
            } == model.messages
            assert (folder.uidvalidity, folder.uidnext) == (model.uidvalidity, model.uidnext)
        mails = {each.mail for model in self.model.values() for each in model.messages.values()}
        assert box.usage() == (sum(len(self.contents[mail]) for mail in mails), len(mails))
        assert not box.check()

    def teardown(self) -> None:
        for name, model in self.model.items():
            for uid, each in model.messages.items():
                (mail,) = self.box.mails([each.mail])
                assert mail is not None, (name, uid)
                assert self.box.read(mail) == self.contents[each.mail]


TestSessions = Sessions.TestCase
