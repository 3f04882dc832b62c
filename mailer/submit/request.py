"""What somebody wants sent, and what becomes of it, as values."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mailer.mail.envelope import Envelope
    from mailer.mail.message import Change


class Request:
    """What somebody wants sent.

    `data` is the message as it came. `sender` is the reverse-path; None takes it from who sends or re-sends it by its
    header or, without one, from the configuration. `recipients` are addresses or lists of them as they were written, `bcc` those
    whom the others are not to see; `from_header` adds those of To, Cc and Bcc. `full_name` stands in a From field that has to be added.
    `request_id` makes it idempotent. `options` are what is asked of those who carry it, as `mailer.mail.request` reads them.
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


class Prepared:
    """A message that is checked and complete: its `envelope`, its `content` as it will lie in the spool, and all `changes` that made it so.

    `digest` is what makes another request the same one, if it has an ID; `own_id` the Message-ID that it came with.
    """

    __slots__ = ("changes", "content", "digest", "envelope", "own_id")

    def __init__(self, envelope: Envelope, content: bytes, changes: list[Change], digest: str, own_id: str) -> None:
        self.envelope = envelope
        self.content = content
        self.changes = changes
        self.digest = digest
        self.own_id = own_id


class Submitted:
    """What became of a request: the `envelope` and `content` in the spool, whether a daemon `heard`, the `changes` that
    were made, and whether it is a `repeat` of a request that was made before; then the ID is the one from then."""

    __slots__ = ("changes", "content", "envelope", "heard", "repeat")

    def __init__(self, envelope: Envelope, content: bytes, *, heard: bool, repeat: bool, changes: list[Change]) -> None:
        self.envelope = envelope
        self.content = content
        self.heard = heard
        self.repeat = repeat
        self.changes = changes

    @property
    def refusals(self) -> Iterator[str]:
        """Who gets nothing, and why, a line each; then who does, and is told."""
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
        """Of the message, in bytes."""
        return len(self.content)
