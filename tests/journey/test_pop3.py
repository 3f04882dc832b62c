"""Mail that a stranger brings is fetched by POP3, all the way: a daemon, the process that it starts, and a program that logs in."""

from __future__ import annotations

import poplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
import trustme

from tests.fakes.processes import free_port

from .test_local import ANN, Town
from .world import World

DOOR = """
[[listen]]
kind = "pop3"
address = "127.0.0.1:{port}"
tls = "implicit"
certificate_file = "{home}/pop.pem"
"""


class PopTown(Town):
    """A town with a door of the kind pop3, at which Ann has an app password."""

    def __init__(self, world: World, *, more: str = "") -> None:
        authority = trustme.CA()
        authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(f"{world.home}/pop.pem")
        authority.cert_pem.write_to_path(f"{world.home}/ca.pem")
        self.pop = free_port()
        super().__init__(world, more=DOOR.format(port=self.pop, home=world.home) + more)
        made = world.mailer("user", "app-password", ANN, "phone", "--for", "pop3")
        assert made.code == 0, made
        self.password = max((word for word in made.out.split() if "@" not in word), key=len)

    @contextmanager
    def client(self, password: str = "") -> Iterator[poplib.POP3_SSL]:
        """Ann's program, which has logged in."""
        context = ssl.create_default_context(cafile=f"{self.world.home}/ca.pem")
        client = poplib.POP3_SSL("localhost", self.pop, context=context, timeout=60)
        try:
            client.user(ANN)
            client.pass_(password or self.password)
            yield client
        finally:
            with suppress(OSError, poplib.error_proto):
                client.quit()
            client.close()

    def names(self) -> list[str]:
        """What her messages are called."""
        with self.client() as client:
            return [line.decode().split()[1] for line in client.uidl()[1]]


def test_mail_is_fetched_once_and_deleted(world: World) -> None:
    """With names that stay over a restart; what is deleted goes at QUIT; who has logged in is seen, and shown out."""
    town = PopTown(world).start()
    town.daemon.accepts(town.pop)
    for number in range(3):
        town.brings(ANN, subject=f"number {number}")
    town.gets(ANN, 3)
    before = town.names()
    assert len(set(before)) == 3
    with town.client() as client:
        _, lines, octets = client.retr(2)
        assert b"Subject: number 1" in lines
        assert octets == sum(len(line) + 2 for line in lines)
        world.until("her session is shown", lambda: ANN in world.mailer("user", "sessions").out)
        client.dele(1)
        assert len(town.has(ANN)) == 3
    assert len(town.has(ANN)) == 2
    town.daemon.stop(60)
    town.start().daemon.accepts(town.pop)
    assert town.names() == before[1:]
    with pytest.raises(poplib.error_proto, match="AUTH"), town.client("wrong-wrong"):
        pass
    with town.client() as client:
        client.dele(1)
        assert world.mailer("user", "app-password", ANN, "phone", "--remove").code == 0
        world.until("her session is over", lambda: is_over(client))
    assert len(town.has(ANN)) == 2


def is_over(client: poplib.POP3_SSL) -> bool:
    """Whether a session was ended from outside."""
    try:
        client.noop()
    except (poplib.error_proto, OSError, EOFError):
        return True
    return False
