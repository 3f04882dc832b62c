"""Mail of strangers that an address of ours passes on: what is put on top of it right before it leaves. Nothing that is there is changed.

Its signatures are those of whoever wrote it, so it gets none of ours (`mailer.queue.signing` is for our own people's mail). It gets a
Delivered-To field, by which it is known again when it comes back; and where there is a key of DKIM for the domain of that address, a seal
of ARC, with which we vouch for what we found of its sender when it came (`mailer.auth.arc`): the hosts behind us cannot find that any
more. Mail that cannot be sealed leaves without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.mail.address import domain_of
from mailer.mail.message import header_end
from mailer.mail.trace import delivered_to
from mailer.transport.verdict import Unsigned

if TYPE_CHECKING:
    from mailer.dkim.sign import Seal

    from .attempt import Job
    from .context import Policy


def behalf_of(job: Job) -> str:
    """The address of ours that passes the mail of `job` on to its recipients; empty where none does."""
    envelope = job.attempt.entry.envelope
    return envelope.recipients[job.recipients[0]].behalf if envelope.foreign else ""


def seal_for(policy: Policy, behalf: str, at: float) -> Seal | None:
    """The key that seals what `behalf` passes on, `at` (seconds since the epoch); None where there is none, or none that can be used."""
    if policy.signer is None or not policy.vouches_as:
        return None
    try:
        return policy.signer.seal_of(domain_of(behalf), at)
    except Unsigned:
        return None  # it has been told


def passed_on(content: bytes, behalf: str, host: str, seal: Seal | None, at: float) -> bytes:
    """The message `content` as `behalf`, an address of ours, passes it on; sealed is what `host`, our name, has found of it."""
    top = delivered_to(behalf) if behalf.isascii() else b""  # others would need SMTPUTF8 for a field of ours
    if seal is None:
        return top + content
    from mailer.auth import arc, results  # which a daemon without a key need not load

    found = results.own(content[: header_end(content)], host)
    if not found:
        return top + content
    return arc.seal(content, found, seal.key, seal.domain, seal.selector, at) + top + content
