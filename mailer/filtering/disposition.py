"""What follows from what a message proves of its author: it is taken, marked, refused, or asked to come again. Used by `proof`; pure.

The cases, the first that fits:

1. The author is proved: taken.
2. A trusted forwarder has seen that he was (ARC): taken.
3. From names no single author: refused if it names one of our domains, a domain that wants such mail refused (p=reject), or more than
   anybody reads; marked if one wants it marked.
4. The author is of a domain of ours: refused, whatever our own record says, for our mail comes in by another door.
5. His domain wants it refused: refused; or asked to come again, if what could prove him cannot be looked up now.
6. His domain wants it marked (p=quarantine): marked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from mailer.smtp.reply import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

    from mailer.auth.author import Author
    from mailer.auth.dmarc import DmarcResult
    from mailer.mail.refusal_reason import RefusalReason

    from .api import Verdict


@dataclass(frozen=True, slots=True)
class ProofSettings:
    """What a proof is judged by: whose host it is, and how strictly.

    `host` is the name under which we write Authentication-Results. `own` are our domains, in A-labels. `obey` says whether what the domain
    of an author wants done is done, `guard` whether mail from outside that names one of our own domains as its author needs proof whatever
    our record says. `trusted` are the domains whose seals (ARC) are believed, with those below them.
    """

    host: str
    own: frozenset[str] = frozenset()
    obey: bool = True
    guard: bool = True
    trusted: frozenset[str] = frozenset()

    def at(self, door: str) -> ProofSettings:
        """What holds at a door of this kind: what another host of ours brings (LMTP), it has judged, and it sends for anybody."""
        return self if door == "mx" else replace(self, obey=False, guard=False)


class Voucher(NamedTuple):
    """The trusted `domain` that saw an author proved, or empty; `unsure` where whether it did cannot be looked up now."""

    domain: str = ""
    unsure: bool = False


class Disposition(NamedTuple):
    """What becomes of it, what the client hears where it is not taken, and why.

    `reason` is the word for a refusal, or for being put off. `vouched`: it is taken for the sake of a trusted host.
    """

    verdict: Verdict
    reply: Reply | None = None
    why: str = ""
    reason: RefusalReason | Literal[""] = ""
    vouched: bool = False


TAKEN = Disposition("accept")


def decide(author: Author, result: DmarcResult, wishes: Mapping[str, str], voucher: Voucher, settings: ProofSettings) -> Disposition:
    """What becomes of a message by `author`.

    `result` is DMARC's. `wishes` has what each domain wants done that an author names who is no single one.
    """
    if result.by is not None:
        return TAKEN
    if not author.domain:
        return _no_author(author, wishes, settings)
    if voucher.domain and not voucher.unsure:
        return Disposition("accept", why=f"{voucher.domain} saw that it was proved", vouched=True)
    later = result.word == "temperror" or bool(voucher.domain)
    if settings.guard and author.domain in settings.own:
        text = f"mail of {author.domain} does not come from outside without proof"
        return _put_off(author.domain) if later else _refused(text, "spoof")
    if settings.obey and result.policy == "reject" and result.word in ("fail", "temperror"):
        text = f"nothing proves that this is from {author.domain}, which wants such mail refused (DMARC)"
        return _put_off(author.domain) if later else _refused(text, "dmarc")
    if settings.obey and result.policy == "quarantine" and result.word == "fail":
        return Disposition("mark", why=f"{author.domain} wants it marked")
    return TAKEN


def _no_author(author: Author, wishes: Mapping[str, str], settings: ProofSettings) -> Disposition:
    own = next((domain for domain in author.named if settings.guard and domain in settings.own), "")
    strict = next((domain for domain, wish in wishes.items() if settings.obey and wish == "reject"), "")
    if own or strict or (settings.obey and author.endless):
        about = f", and one of them is {own or strict}" if own or strict else ""
        reply = Reply.own(550, "5.7.1", f"{author.problem}{about}: nothing can prove who wrote it")
        return Disposition("refuse", reply, author.problem, "spoof" if own else "dmarc" if strict else "sender")
    if settings.obey and "quarantine" in wishes.values():
        return Disposition("mark", why=author.problem)
    return TAKEN


def _refused(text: str, reason: RefusalReason) -> Disposition:
    """RFC 7372 §3.3"""
    return Disposition("refuse", Reply.own(550, "5.7.26", text), text, reason)


def _put_off(domain: str) -> Disposition:
    """RFC 7372 §3.2"""
    text = f"whether this is from {domain} cannot be looked up now"
    return Disposition("tempfail", Reply.own(451, "4.7.24", text), text, "dns")
