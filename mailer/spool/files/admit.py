"""Admit: a message that another user handed over becomes one of ours, if it is one.

``drop/`` and the socket give the same bytes, a spool file, and both are hostile until proven mail. What the sender's own
program would have seen to is looked at once more here, for nobody had to use that program: line ends, addresses, options,
limits in number and in bytes. What the sender may not say is replaced: who it is, when it was if that is later than now, and subject
and Message-ID, which are those of the header.
Members of the envelope that nobody knows are left out.

Nor may he choose what mail his goes before. An ID says when its message was put, and the spool is sorted by that; one that says
something else is replaced by one of ours, which follows from his, so that the same file has the same when it is looked at again, and
he finds the message by the one that he knows.

==========================================  =======================================================
step                                        what a crash right after it leaves
==========================================  =======================================================
write ``tmp/ID``, fsync                     garbage in ``tmp/``
rename to ``queued/ID``, fsync              the message; whoever hands it over again is told that it is there
==========================================  =======================================================

With a request id a key is claimed in between, see `idempotency`. The keys of each user are his own.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from hashlib import sha256
from threading import Condition
from typing import TYPE_CHECKING, NamedTuple

from mailer.io import durable
from mailer.mail import address
from mailer.mail.address import AddressError
from mailer.mail.dates import parse_rfc3339, rfc3339
from mailer.mail.delivery_options import MEMBERS, Request
from mailer.mail.envelope import LONGEST_MESSAGE_ID, LONGEST_REQUEST_ID, shown_subject
from mailer.mail.envelope_reader import largest
from mailer.mail.message import Message, is_divided, is_normal
from mailer.mail.principal import unix
from mailer.spool import encode, is_id, put_at
from mailer.spool.api import CorruptMessage, NoSuchMessage

from . import idempotency, message_file
from .enqueue import head

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

    from mailer.mail.envelope import Envelope
    from mailer.mail.principal import Principal

    from .store import SpoolDirectory

LONGEST_WAIT = 366 * 86400  # seconds: mail for a later day than that is a slip
NEAR = 3600.0  # seconds between an ID and its message's being put: a busy disk, a clock that was set; it is no more to gain than that
LONGEST_IP = 64  # characters
LONGEST_STREAM = 255  # characters of the name of a stream
OPTIONS = frozenset({"at", *MEMBERS})
EACH = ("notify", "orcpt")
"""What is kept of what was asked for, for all and for one recipient."""

_DIGEST = frozenset(b"0123456789abcdef")


def anybody(envelope: Envelope, content: bytes, who: Principal) -> None:
    """The judge where nothing is forbidden."""


def nobody_used(_id: str, _who: Principal) -> str:
    """The `IntakeTerms.used` of those who remember nothing: no ID was used before."""
    return ""


def nobody_told(_id: str, _who: Principal) -> None:
    """The `IntakeTerms.taken` of those who do not want to know."""


class IntakeTerms(NamedTuple):
    """The terms on which messages of other users are taken; the sizes are in bytes.

    `judge` raises `Problem` if that user may not send it. `used` says of an ID that is not in the spool any more whether its
    message was the user's own (``mine``), somebody else's (``taken``), or never there (``""``). `taken` is told of each ID
    and its user once the message is in the spool. `writers` are users who write the spool themselves: what is in ``drop/`` and
    theirs was put there by somebody else. `sandbox` is the mode of the one that holds, which is noted whatever the user's program knew.
    """

    max_size: int
    max_recipients: int
    judge: Callable[[Envelope, bytes, Principal], None] = anybody
    used: Callable[[str, Principal], str] = nobody_used
    taken: Callable[[str, Principal], None] = nobody_told
    max_header: int = 1 << 20
    writers: Container[int] = frozenset()
    sandbox: str = ""

    @property
    def largest(self) -> int:
        """The bytes that the spool file of such a message may have; what follows the message is a line at most."""
        return self.max_size + largest(self.max_recipients) + 4096


class Stranger(NamedTuple):
    """A principal, `who`, with a message to hand over; `latest` is the last moment at which that can have been written."""

    who: Principal
    latest: float


def admit(spool: SpoolDirectory, data: bytes, id: str, stranger: Stranger, terms: IntakeTerms) -> str:
    """Put the message whose spool file is `data`; returns the ID that it has, which for a request made before is the one from then.

    Raises `CorruptMessage` for what is no message or breaks a rule of the spool, `Problem` where the judge or a
    request id is against it, `OSError` for trouble of the disk.
    """
    envelope, start, end = message_file.parse(data, id, terms.max_recipients)
    content = data[start:end]
    if len(content) > terms.max_size:
        raise CorruptMessage(f"its message has {len(content)} bytes, more than a message may have")
    if len(envelope.recipients) > terms.max_recipients:
        raise CorruptMessage(f"it has {len(envelope.recipients)} recipients, more than a message may have")
    header = _checked(envelope, content, terms.max_header)
    _known(envelope)
    envelope.subject = shown_subject(header)
    envelope.message_id = (header.value(b"message-id") or "")[:LONGEST_MESSAGE_ID]
    for recipient in envelope.recipients:
        recipient.behalf = ""  # an alias that a door has followed is none of a user's program
        if recipient.outcome is None:
            recipient.address = address.ascii_address(recipient.address)
    envelope.sender = address.ascii_address(envelope.sender)
    envelope.submitter = {**envelope.submitter, **stranger.who.as_submitter()}
    if terms.sandbox:
        envelope.options = {**envelope.options, "sandbox": terms.sandbox}
    envelope.created = _created(envelope, stranger.latest)
    envelope.id = id = named(id, stranger)
    terms.judge(envelope, content, stranger.who)
    digest = _digest(data[end:], envelope, content)
    with _turn(f"{spool.root}/{id}"):
        return _put(spool, envelope, content, digest, stranger.who, terms)


@contextmanager
def _turn(path: str) -> Iterator[None]:
    """Nobody else puts this message meanwhile: it may come by the socket and lie in ``drop/`` at once, and two would write one file."""
    with _free:
        _free.wait_for(lambda: path not in _busy)
        _busy.add(path)
    try:
        yield
    finally:
        with _free:
            _busy.discard(path)
            _free.notify_all()


_busy: set[str] = set()
_free = Condition()


def named(id: str, stranger: Stranger) -> str:
    """The ID that the message gets which came with `id`: that one, unless it lies about when it was put."""
    if abs(put_at(id) - stranger.latest) <= NEAR:
        return id
    return encode(int(stranger.latest * 1000), 10) + tail_of(id, stranger.who)


def tail_of(id: str, who: Principal) -> str:
    """The last 16 symbols of what `named` makes of `id`: by them a user finds his message under the ID that he knows."""
    return encode(int.from_bytes(sha256(f"{who.key} {id}".encode()).digest()[:10], "big"), 16)


def _checked(envelope: Envelope, content: bytes, max_header: int) -> Message:
    """The header of the message, if that and its envelope are what submission makes of one. Raises `CorruptMessage`."""
    if not is_normal(content):
        raise CorruptMessage("its message has a line end that is not CRLF, or a NUL")
    if content.find(b"\r\n\r\n", 0, max_header + 4) < 0:
        raise CorruptMessage(f"the header of its message has more than {max_header} bytes, or no end")
    if not is_divided(content):
        raise CorruptMessage("no empty line ends the header of its message")
    header = Message.head(content)
    if (count := sum(name == b"from" for name, _ in header.fields())) != 1:
        raise CorruptMessage(f"its message has {count} From fields, not one")
    if len(envelope.request_id) > LONGEST_REQUEST_ID or not envelope.request_id.isprintable():
        raise CorruptMessage("its request id is none")
    try:
        for text in (envelope.sender, *(recipient.address for recipient in envelope.recipients if recipient.outcome is None)):
            if text and str(address.parse(text)) != text:
                raise CorruptMessage(f"{text[:100]!r} is written as no envelope has it")
        if envelope.options:
            Request.read(envelope.options)
    except AddressError as error:
        raise CorruptMessage(str(error)) from None
    except ValueError as error:
        raise CorruptMessage(f"the envelope's {error}") from None
    return header


def _known(envelope: Envelope) -> None:
    """Leave out what nobody reads: it would be kept in memory for as long as the message waits."""
    ip, stream, link = envelope.submitter.get("ip"), envelope.submitter.get("stream"), envelope.options.get("list_unsubscribe")
    envelope.submitter = {"ip": ip} if isinstance(ip, str) and len(ip) <= LONGEST_IP else {}
    if isinstance(stream, str) and 0 < len(stream) <= LONGEST_STREAM and stream.isprintable():
        envelope.submitter = {**envelope.submitter, "stream": stream}
    envelope.options = {name: value for name, value in envelope.options.items() if name in OPTIONS}
    if link == "auto" and envelope.stream and len(envelope.recipients) == 1:
        envelope.options["list_unsubscribe"] = link
    if isinstance(each := envelope.options.get("recipients"), dict):
        people = (recipient.address for recipient in envelope.recipients)
        envelope.options["recipients"] = {to: {name: each[to][name] for name in EACH if name in each[to]} for to in people if to in each}
    if not is_id(envelope.parent):
        envelope.parent = ""


def _created(envelope: Envelope, latest: float) -> str:
    """When it was put, but not later than it can have been: mail from the future would not expire."""
    try:
        created = min(parse_rfc3339(envelope.created), latest)
        at = envelope.options.get("at")
        if at is not None and parse_rfc3339(str(at)) > latest + LONGEST_WAIT:
            raise CorruptMessage("it is to leave in more than a year")
    except ValueError as error:
        raise CorruptMessage(f"the envelope's {error}") from None
    return envelope.created if created < latest else rfc3339(created)


def _digest(tail: bytes, envelope: Envelope, content: bytes) -> str:
    """What the request was, as its sender computed it before anything was added to it; else as it stands here."""
    start, digest, end = tail[:12], tail[12:76], tail[76:]
    if (start, end) == (b'\n{"digest":"', b'"}') and len(digest) == 64 and _DIGEST.issuperset(digest):
        return digest.decode()
    people = "\n".join([envelope.sender, *(recipient.address for recipient in envelope.recipients)])
    return sha256(people.encode() + b"\n\n" + content).hexdigest()


def _put(spool: SpoolDirectory, envelope: Envelope, content: bytes, digest: str, who: Principal, terms: IntakeTerms) -> str:
    """Put the message under its own ID, unless that was done before."""
    id = envelope.id
    if state := spool.find(id):
        try:
            if not _same(spool, envelope, content):
                raise CorruptMessage("its ID belongs to another message")
            durable.sync_directory(f"{spool.root}/{state}")  # a crash may have been between rename and sync
            return id
        except NoSuchMessage:
            pass  # it has left this moment
    if before := terms.used(id, who):
        if before != "mine":
            raise CorruptMessage("its ID belongs to another message")
        return id
    id = _publish(spool.root, envelope, content, digest, who)
    terms.taken(id, who)
    return id


def _publish(root: str, envelope: Envelope, content: bytes, digest: str, who: Principal) -> str:
    temporary = f"{root}/tmp/{envelope.id}"
    line, due = envelope.to_line(), envelope.due
    if os.path.lexists(temporary):  # left by a crash
        durable.forget(temporary)
    durable.write_new(temporary, (head(line, content), line, content), modified=due)
    try:
        if envelope.request_id:
            return idempotency.publish_once(root, envelope.id, envelope.request_id, digest, None if who == unix(os.geteuid()) else who)
        durable.publish(temporary, f"{root}/{'deferred' if due else 'queued'}/{envelope.id}")
        return envelope.id
    except BaseException:
        durable.forget(temporary)
        raise


def _same(spool: SpoolDirectory, envelope: Envelope, content: bytes) -> bool:
    known = spool.read(envelope.id)
    envelope.created = known.envelope.created
    for each in (known.envelope, envelope):  # a sandbox may have begun, or ended, between the two
        each.options = {name: value for name, value in each.options.items() if name != "sandbox"}
    return known.envelope.to_line() == envelope.to_line() and spool.content(envelope.id) == content
