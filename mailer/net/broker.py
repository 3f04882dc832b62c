"""A message broker that speaks AMQP 0-9-1: where one is, by the address in a file, and a connection to it.

Used by the process that takes mail from queues and gives results back, and by the doctor. The address has a password in it: it is read
from the file when it is needed, and is in no text, whatever fails. With ``amqps`` the broker's certificate has to bear its name; nothing in
the address can change that. What the library says by itself is not for our log, so it is not listened to.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from mailer.config.secret import Secret
from mailer.io.extras import installing
from mailer.mail.problem import Problem
from mailer.tlspolicy import Requirement

from . import tls

if TYPE_CHECKING:
    from aio_pika.abc import AbstractConnection

    from mailer.config.sections.amqp import Amqp

PORTS = {"amqp": 5672, "amqps": 5671}
PATIENCE = 20.0  # seconds for a connection, from the name to the login
HEARTBEAT = 30  # seconds, unless the broker wants less: one that has gone without a word is noticed after twice as many
WRITE = "amqps://user:password@host/"


class BrokerPlace(NamedTuple):
    """Where a broker is, and who logs in there. As a text it is without that."""

    scheme: str
    host: str
    port: int
    vhost: str
    username: str
    password: str

    @classmethod
    def read(cls, url: str, where: str) -> BrokerPlace:
        """The place that `url` says, which stands in `where`. Raises `Problem` (bad-config) that repeats nothing of it."""
        try:
            parts = urlsplit(url)
            port, host = parts.port, parts.hostname or ""
            username, password = (unquote(text or "", errors="strict") for text in (parts.username, parts.password))
            vhost = unquote(parts.path.removeprefix("/"), errors="strict") or "/"
        except ValueError:
            raise Problem(f"{where} has no address of a broker; write {WRITE}", "bad-config") from None
        if parts.scheme not in PORTS or not host or "/" in parts.path[1:]:
            raise Problem(f"{where} has no address of a broker; write {WRITE}", "bad-config")
        if parts.query or parts.fragment:
            raise Problem(f"{where} has something behind the address of the broker; what can be set is in [amqp]", "bad-config")
        return cls(parts.scheme, host, port or PORTS[parts.scheme], vhost, username or "guest", password or "guest")

    @property
    def tls(self) -> bool:
        """Whether it is spoken to in TLS."""
        return self.scheme == "amqps"

    @property
    def local(self) -> bool:
        """Whether it is on this machine, by its address or by name."""
        from ipaddress import ip_address

        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost" or self.host.endswith(".localhost")

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}/{'' if self.vhost == '/' else self.vhost}"

    def __repr__(self) -> str:
        return f"BrokerPlace({self})"


def place(section: Amqp) -> BrokerPlace:
    """The broker that is configured, its address read now.

    Raises `Problem`: bad-config if it has to be set up better, no-permission if the file may not be read.
    """
    found = BrokerPlace.read(Secret("file", (section.url_file,))(), f"the file {section.url_file} (amqp.url_file)")
    if not found.tls and not found.local and not section.allow_plaintext_auth:
        raise Problem(
            f"the password for {found} would travel unencrypted; write amqps://, or amqp.allow_plaintext_auth = true", "bad-config"
        )
    return found


async def connect(section: Amqp, ca_file: str, name: str) -> AbstractConnection:
    """A connection to the broker, where it is called `name`; the authorities are those of `section`, or else in `ca_file`.

    Raises `Problem`: bad-config for a login that is refused or a certificate that is not good; else unavailable, also without the library.
    """
    require()
    where = await asyncio.to_thread(place, section)
    context = await asyncio.to_thread(tls.context, Requirement("implicit", ca_file=section.ca_file or ca_file)) if where.tls else None
    import aio_pika
    from yarl import URL

    url = URL.build(
        scheme=where.scheme,
        user=where.username,
        password=where.password,
        host=where.host,
        port=where.port,
        path="/" + where.vhost.replace("/", "%2F"),
        query={"heartbeat": HEARTBEAT},
        encoded=False,
    )
    try:
        async with asyncio.timeout(PATIENCE):
            made: AbstractConnection = await aio_pika.connect(url, ssl_context=context, client_properties={"connection_name": name})
    except asyncio.CancelledError as error:
        if _is_asked_to_end():
            raise
        raise _problem(where, error) from None
    except errors() as error:
        raise _problem(where, error) from None
    return made


def errors() -> tuple[type[Exception], ...]:
    """What the library raises where a connection or a channel is lost or refused, and what the system does."""
    from aiormq.exceptions import AMQPError, ChannelInvalidStateError
    from pamqp.exceptions import PAMQPException

    return AMQPError, ChannelInvalidStateError, PAMQPException, OSError, TimeoutError


def _is_asked_to_end() -> bool:
    """Whether the task is cancelled, and not what it waits for: the library cancels its own waits when the broker hangs up."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def require() -> None:
    """Have the library, whose words are not for our log. Raises `Problem` (unavailable) where it is not installed."""
    try:
        import aio_pika  # noqa: F401
    except ImportError:
        raise Problem(f"amqp.url_file is set, and the library aio-pika is not installed: {installing('amqp')}", "unavailable") from None
    for each in ("aio_pika", "aiormq"):
        logging.getLogger(each).setLevel(logging.CRITICAL + 1)


def _problem(where: BrokerPlace, error: BaseException) -> Problem:
    import ssl

    from aiormq import exceptions

    for each in _chain(error):
        if isinstance(each, ssl.SSLError):
            return Problem(f"the broker {where}: {tls.reason(each)}", "bad-config")
        if isinstance(each, exceptions.AuthenticationError | exceptions.ProbableAuthenticationError):
            return Problem(f"the broker {where} refuses the login; look at the name and the password in amqp.url_file", "bad-config")
        if isinstance(each, exceptions.ConnectionNotAllowed | exceptions.ChannelAccessRefused):
            return Problem(f"the broker {where} refuses the virtual host: it is not there, or not for this user", "bad-config")
    return Problem(f"the broker {where} cannot be reached: {_reason(error)}", "unavailable")


def _chain(error: BaseException | None) -> list[BaseException]:
    """The error with all that led to it, by cause or as what it holds."""
    found: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is not None and each not in found:
            found.append(each)
            waiting += [each.__cause__, each.__context__, *(held for held in each.args if isinstance(held, BaseException))]
    return found


def _reason(error: BaseException) -> str:
    """Why, in one line without addresses."""
    import os

    for each in _chain(error):
        if isinstance(each, TimeoutError):
            return "no answer in time"
        if isinstance(each, OSError) and each.errno:
            return os.strerror(each.errno) if each.errno > 0 else "there is no such host"
    return "it has closed the connection"
