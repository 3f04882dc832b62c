"""A client that knew all folders when it said NOTIFY, and asks for nothing afterwards, knows all of them at the end."""

from __future__ import annotations

import random
import re

import pytest

from mailer.mail.problem import Problem
from mailer.mailbox.box import OwnMailbox
from tests.mailbox.premises import number_of, put

from .house import ImapHouse, in_house
from .talking import ImapTalk

LIST = re.compile(r'\* LIST \((.*?)\) "/" "(.*?)"(?: \("OLDNAME" \("(.*?)"\)\))?')
STATUS = re.compile(r'\* STATUS "(.*?)" \(MESSAGES (\d+) UIDNEXT (\d+).*\)')
LEVELS = ("a", "b", "c")
STEPS = 60


class FolderMirror:
    """What a client makes of the lines that it hears."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.subscribed: set[str] = set()
        self.messages: dict[str, int] = {}

    def hear(self, line: str) -> None:
        """Take a line."""
        if match := STATUS.fullmatch(line):
            self.messages[match[1]] = int(match[2])
            return
        match = LIST.fullmatch(line)
        assert match, line
        attributes, name, old = match.groups()
        if old:
            for each in [each for each in self.names if each == old or each.startswith(f"{old}/")]:
                self.names.discard(each)
                self.names.add(name + each[len(old) :])
                if each in self.messages:
                    self.messages[name + each[len(old) :]] = self.messages.pop(each)
        if "\\NonExistent" in attributes:
            self.names.discard(name)
            self.messages.pop(name, None)
        else:
            self.names.add(name)
        (self.subscribed.add if "\\Subscribed" in attributes else self.subscribed.discard)(name)


def change(chance: random.Random, box: OwnMailbox) -> None:
    """Something by chance; what cannot be done is not."""
    name, other = ("/".join(chance.choices(LEVELS, k=chance.choice((1, 1, 2, 3)))) for _ in range(2))
    what = chance.choice(("create", "create", "rename", "rename", "delete", "subscribe", "put", "put", "expunge"))
    try:
        if what == "create":
            box.create(name, subscribed=chance.random() < 0.5)
        elif what == "rename":
            box.rename(name, other)
        elif what == "delete":
            box.delete(name)
        elif what == "subscribe":
            box.subscribe(name, chance.random() < 0.5)
        elif box.folder(name) is not None and what == "put":
            put(box, name, chance.randint(1, 3))
        elif box.folder(name) is not None:
            box.expunge(number_of(box, name), [(1, chance.randint(1, 5))], marked=False)
    except Problem:
        pass


async def play(house: ImapHouse, client: ImapTalk, chance: random.Random) -> FolderMirror:
    """The mirror, behind many changes; the client says something now and then."""
    mirror = FolderMirror()
    with house.premises.ann() as box:
        mirror.names = {folder.name for folder in box.folders()}
        mirror.subscribed = {folder.name for folder in box.folders() if folder.subscribed}
        mirror.messages = {folder.name: 0 for folder in box.folders()}
    await client.ok("NOTIFY SET (personal (MessageNew MessageExpunge MailboxName SubscriptionChange))")
    for _ in range(STEPS):
        for _ in range(chance.randint(1, 4)):
            with house.premises.ann() as box:
                change(chance, box)
        for line in await client.ok(chance.choice(("NOOP", "CAPABILITY", "STATUS INBOX (UNSEEN)"))):
            if "CAPABILITY" not in line and "UNSEEN" not in line:
                mirror.hear(line)
    for line in await client.ok("NOOP"):
        mirror.hear(line)
    return mirror


@pytest.mark.parametrize("seed", range(6))
def test_a_client_that_listens_knows_what_there_is(seed: int) -> None:
    """Names, subscriptions, and how many messages."""

    async def test(house: ImapHouse) -> None:
        client = await house.client()
        mirror = await play(house, client, random.Random(seed))
        with house.premises.ann() as box:
            there, wanted = box.folders(), {*box.wanted()}
        assert mirror.names == {folder.name for folder in there}
        assert mirror.subscribed == {folder.name for folder in there if folder.subscribed} | wanted
        assert {name: many for name, many in mirror.messages.items() if many} == {
            folder.name: folder.messages for folder in there if folder.messages
        }

    in_house(test)
