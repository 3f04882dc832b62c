"""What goes through the steps of submission: what somebody asks for, what is made of it, and what became of it."""

from __future__ import annotations

from mailer.mail.message import Message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mailer.config.sections import SubmissionSettings
    from mailer.mail.envelope import Envelope, Recipient
    from mailer.mail.message import Change
    from mailer.rewriting import Rules


class Submission:
    """What somebody wants sent.

    `data` is the message as it came. `sender` is the reverse-path; None takes it from who sends or re-sends it by its
    header or, without one, from the configuration. `recipients` are addresses or lists of them as they were written, `bcc` those
    whom the others are not to see; `from_header` adds those of To, Cc and Bcc. `full_name` stands in a From field that has to be added.
    `request_id` makes it idempotent. `options` are what is asked of those who carry it, as `mailer.mail.delivery_options` reads them.
    `changes` are what was mended already in what the message is made of. `whole`: one bad address refuses all, where somebody reads the
    answer; else the others get their mail, and the sender a report.
    """

    __slots__ = ("bcc", "changes", "data", "from_header", "full_name", "options", "priority", "recipients", "request_id", "sender", "whole")

    def __init__(
        self,
        data: bytes,
        *,
        sender: str | None = None,
        recipients: Sequence[str] = (),
        bcc: Sequence[str] = (),
        from_header: bool = False,
        full_name: str = "",
        request_id: str = "",
        priority: str = "normal",
        options: Mapping[str, object] | None = None,
        changes: Sequence[Change] = (),
        whole: bool = False,
    ) -> None:
        self.data = data
        self.sender = sender
        self.recipients = recipients
        self.bcc = bcc
        self.from_header = from_header
        self.full_name = full_name
        self.request_id = request_id
        self.priority = priority
        self.options = options
        self.changes = changes
        self.whole = whole


class Draft:
    """A message on its way through the steps, and what they have found out; each step fills in or changes members of it.

    `asked` is the submission, `settings` and `now` (seconds since the epoch) are what it is completed with, `id` is the message's where
    its maker has chosen one. Then `message` as far as it is done, and all `changes` to it; the `rules` of identity, None where they would
    change nothing; `recipients` and `sender` of the envelope; `digest`, which makes another request the same one where it has a request id,
    and `own_id`, the Message-ID that it came with; at the end the `envelope`.
    """

    __slots__ = (
        "asked", "changes", "digest", "envelope", "id", "message", "now", "own_id", "recipients", "rules", "sender", "settings",
    )  # fmt: skip

    envelope: Envelope

    def __init__(self, asked: Submission, settings: SubmissionSettings, now: float, id: str = "") -> None:
        self.asked = asked
        self.settings = settings
        self.now = now
        self.id = id
        self.message = Message(b"", b"")
        self.changes: list[Change] = [*asked.changes]
        self.rules: Rules | None = None
        self.recipients: list[Recipient] = []
        self.sender = self.digest = self.own_id = ""


class Prepared:
    """A message that is checked and complete: its `envelope`, its `content` as it lies in the spool, and all `changes` that made it so.

    `digest` and `own_id` are as in `Draft`. `queued`: it is in the spool, and whether a daemon `heard`; a `repeat` of a request that was
    made before is there under its ID from then.
    """

    __slots__ = ("changes", "content", "digest", "envelope", "heard", "own_id", "queued", "repeat")

    def __init__(self, draft: Draft) -> None:
        self.envelope = draft.envelope
        self.content = bytes(draft.message)
        self.changes = draft.changes
        self.digest = draft.digest
        self.own_id = draft.own_id
        self.queued = self.heard = self.repeat = False

    @property
    def refusals(self) -> Iterator[str]:
        """Lines on the recipients that get nothing, with the reason; then one on those that do, and on who is told."""
        refused = [change for change in self.changes if change.action == "refused"]
        yield from map(str, refused)
        lost = {change.before for change in refused if not change.after}
        if lost:
            left = sum(recipient.outcome is None for recipient in self.envelope.recipients)
            others = {0: "nobody else", 1: "the other recipient"}.get(left, f"the other {left} recipients")
            told = f", and a report to {self.envelope.sender}" if self.envelope.sender else ""
            yield f"the message goes to {others}{told}"

    @property
    def size(self) -> int:
        """The size of the message in bytes."""
        return len(self.content)

    def as_json(self) -> dict[str, object]:
        """The message in the form that its status has later, and what was changed in it beyond completing it.

        One that is not queued has neither ID nor status, and all changes.
        """
        from mailer.mail import document

        envelope = self.envelope
        changes = [change.as_json() for change in self.changes if not self.queued or change.action != "added"]
        at = envelope.options.get("at")
        made = document.message(
            envelope.id,
            envelope.message_id,
            envelope.request_id,
            "deferred" if envelope.due else "queued",
            envelope.sender,
            envelope.subject,
            self.size,
            envelope.priority,
            queued_at=envelope.created,
            next_attempt_at=str(at) if at else None,
            recipients=[_recipient(recipient, envelope.created) for recipient in envelope.recipients],
        )
        if not self.queued:
            return {**made, "id": None, "status": None, "changes": changes}
        return {**made, **({"changes": changes} if changes else {})}


def _recipient(recipient: Recipient, at: str) -> dict[str, object]:
    """A recipient as JSON, with what is known when the message is queued."""
    from mailer.mail import document

    if (outcome := recipient.outcome) is None:
        return document.recipient(recipient.address, recipient.type, "queued", updated_at=at)
    return document.recipient(
        recipient.address,
        recipient.type,
        "failed" if outcome["verdict"] == "fail" else "sent",
        code=outcome["code"],
        enhanced_code=outcome["enhanced"],
        reply=outcome["text"],
        ours=outcome["cause"] is not None,
        cause=outcome["cause"],
        updated_at=at,
    )
