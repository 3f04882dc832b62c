"""Messages as conversations: THREAD, RFC 5256 §3, by ORDEREDSUBJECT and by REFERENCES.

Both take the messages in the order of their numbers and give a `Forest`. Whoever wrote the messages wrote what they refer to: nothing here
recurses, and what is walked in all is bounded (`STEPS`), so that a link that would close a circle is found in time.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple

from .sorting import in_turns

if TYPE_CHECKING:
    from collections.abc import Sequence

ALGORITHMS: Final = ("ORDEREDSUBJECT", "REFERENCES")
STEPS: Final = 10
"""Steps up from a message to those that it answers, for each message and each that it refers to, all in all; a link that they do not
suffice for is not made."""


NOBODY: Final[list[int]] = []


class ThreadColumns(NamedTuple):
    """What messages say of their conversations, each column in the order of their numbers. `sent` is in seconds, when it came where it does
    not say; `subjects` are base subjects as they are compared, `answers` whether one is that of a reply or a forward (RFC 5256 §2.1). `ids`
    are numbers that stand for Message-IDs: its own, 0 for none, and those that it refers to, the oldest first."""

    sent: Sequence[float]
    subjects: Sequence[str]
    answers: Sequence[int]
    ids: Sequence[Sequence[int]]


class Forest(NamedTuple):
    """Conversations: `roots` and the `children` of each node, in order. A node is the place of a message, or a larger number: a message
    that is not there, whose children have nobody above them."""

    roots: Sequence[int]
    children: Sequence[Sequence[int]]


def ordered_subject(messages: ThreadColumns) -> Forest:
    """RFC 5256 §3, ORDEREDSUBJECT: the first message of each subject, and the others of it below that."""
    sent, subjects = messages.sent, messages.subjects
    places = in_turns(in_turns([*range(len(sent))], sent.__getitem__), subjects.__getitem__)
    children: list[Sequence[int]] = [()] * len(sent)
    roots = []
    for _, alike in groupby(places, key=subjects.__getitem__):
        root, *children[root] = alike
        roots.append(root)
    return Forest(in_turns(sorted(roots), sent.__getitem__), children)


def by_references(messages: ThreadColumns) -> Forest:
    """RFC 5256 §3, REFERENCES."""
    threads = _Threads(messages)
    threads.link()
    threads.prune()
    threads.gather()
    return threads.forest()


class _Threads:
    """The six steps of REFERENCES. A node is a place in `messages`, or a dummy above those: a message that others refer to."""

    def __init__(self, messages: ThreadColumns) -> None:
        self.messages = messages
        self.real = len(messages.sent)
        self.parent: list[int] = [-1] * self.real
        self.below: list[int] = [0] * self.real  # children, counted
        self.children: list[list[int]] = []  # for those that have none one list, which nobody changes
        self.roots: list[int] = []
        self.steps = STEPS * sum(map(len, messages.ids))

    # (1) what refers to what

    def link(self) -> None:
        """Step 1, and 2: those with nobody above them are the roots."""
        nodes: dict[int, int] = {}
        for place, (id, *_) in enumerate(self.messages.ids):
            if id:
                nodes.setdefault(id, place)  # the first of those that have the same
        parent = self.parent
        for place, (_, *references) in enumerate(self.messages.ids):
            above = -1
            for id in references:
                node = nodes.get(id, -1)
                if node < 0:
                    node = nodes[id] = self._dummy()
                if above >= 0 and parent[node] < 0 and not self._is_above(node, above):
                    self._put(node, above)
                above = node
            if above != parent[place]:
                self._move(place, above)
        self.children = [[] if count else NOBODY for count in self.below]
        for node, above in enumerate(parent):
            (self.roots if above < 0 else self.children[above]).append(node)

    def _dummy(self) -> int:
        self.parent.append(-1)
        self.below.append(0)
        return len(self.parent) - 1

    def _put(self, node: int, above: int) -> None:
        self.parent[node] = above
        self.below[above] += 1

    def _move(self, node: int, above: int) -> None:
        """(1) (B): the last that it refers to is above it, or nobody."""
        before = self.parent[node]
        if before >= 0:
            self.parent[node] = -1
            self.below[before] -= 1
        if above >= 0 and not self._is_above(node, above):
            self._put(node, above)

    def _is_above(self, node: int, other: int) -> bool:
        """Whether a node is the other or above it; or nobody knows that in the steps that are left."""
        if node == other:
            return True
        if not self.below[node]:
            return False
        parent = self.parent
        while other >= 0:
            if other == node:
                return True
            other = parent[other]
            self.steps -= 1
            if self.steps < 0:
                return True
        return False

    # (3) messages that are not there

    def prune(self) -> None:
        """Step 3: a dummy goes, and its children take its place; a root stays if it has several."""
        roots: list[int] = []
        for node in range(self.real):
            if any(child >= self.real for child in self.children[node]):
                self.children[node] = self._promoted(self.children[node])
        for root in self.roots:
            if root < self.real:
                roots.append(root)
                continue
            self.children[root] = below = self._promoted(self.children[root])
            roots += [root] if len(below) > 1 else below
        self.roots = roots

    def _promoted(self, nodes: Sequence[int]) -> list[int]:
        """The messages, and in place of dummies the messages below them. Each dummy is below one node, and looked at once."""
        found = []
        waiting = [*reversed(nodes)]
        while waiting:
            node = waiting.pop()
            if node < self.real:
                found.append(node)
            else:
                waiting.extend(reversed(self.children[node]))
        return found

    # (4) and (5) by subjects

    def gather(self) -> None:
        """Steps 4 and 5: the roots in order, and those of one subject together."""
        self._sort_dummies()
        self.roots = in_turns(self.roots, self._time)
        table: dict[str, int] = {}
        for root in self.roots:
            subject = self.messages.subjects[self._first(root)]
            if subject and (subject not in table or self._is_better(root, table[subject])):
                table[subject] = root
        kept: dict[int, None] = dict.fromkeys(self.roots)
        for root in self.roots:
            subject = self.messages.subjects[self._first(root)]
            other = table.get(subject, root)
            if other != root:
                del kept[root]
                self._merge(root, other, subject, table, kept)
        self.roots = [*kept]

    def _is_better(self, root: int, other: int) -> bool:
        """(5) (B) (iv): a dummy is, and what is no reply, to what is one."""
        if other >= self.real:
            return False
        return root >= self.real or bool(self.messages.answers[other] and not self.messages.answers[root])

    def _merge(self, root: int, other: int, subject: str, table: dict[str, int], kept: dict[int, None]) -> None:
        """(5) (C) (iv)"""
        if root >= self.real and other >= self.real:
            self.children[other] += self.children[root]  # they have children, both
        elif other >= self.real or (root < self.real and self.messages.answers[root] and not self.messages.answers[other]):
            self.children[other] = self.children[other] or []
            self.children[other].append(root)
        else:
            dummy = self._dummy()
            self.children.append([other, root])
            del kept[other]
            kept[dummy] = None
            table[subject] = dummy

    # (4) and (6) by time

    def forest(self) -> Forest:
        """Step 6: all in order."""
        for node in (*range(self.real), *(root for root in self.roots if root >= self.real)):
            if len(self.children[node]) > 1:
                self.children[node] = in_turns(self.children[node], self._time)
        roots, children = in_turns(self.roots, self._time), self.children[: self.real]
        for place, root in enumerate(roots):
            if root >= self.real:
                roots[place] = len(children)
                children.append(self.children[root])
        return Forest(roots, children)

    def _sort_dummies(self) -> None:
        for root in self.roots:
            if root >= self.real:
                self.children[root] = in_turns(self.children[root], self._time)

    def _time(self, node: int) -> tuple[float, int]:
        place = self._first(node)
        return self.messages.sent[place], place

    def _first(self, root: int) -> int:
        return root if root < self.real else self.children[root][0]
