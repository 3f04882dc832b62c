"""What a filter thinks of a message, whichever filter it is; and the one error of all that read filters' answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from mailer.smtp.reply import Reply

Act = Literal["pass", "mark", "hold", "refuse", "tempfail"]
"""What a filter wants done by itself, whatever the sum of all scores is."""

Class = Literal["spam", "ham"]
"""What a message is, as people say who have read it."""

LONGEST_WORD = 200  # characters of what a filter says that are kept


class ScanError(ValueError):
    """What came is no answer of a filter; `str()` says what is wrong with it."""


class Unlearnable(ScanError):
    """A filter does not learn from this message, and will not either when it is asked again."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a filter thinks of a message.

    `act` is what it wants done by itself, and `score` what it adds to the sum. `reason` is for a person. `reply` is what the client hears
    where the act is refuse or tempfail and the filter has words of its own. `tests` are names of what it found. With `unscanned`, which
    says why, it has not looked at the message, and thinks nothing. `fields` are lines of a header, each with its CRLF, that it wants on
    top. `virus` is the name of one.
    """

    act: Act = "pass"
    score: float = 0.0
    reason: str = ""
    reply: Reply | None = None
    tests: tuple[str, ...] = ()
    unscanned: str = ""
    fields: bytes = b""
    virus: str = ""


def plain(data: bytes | str, longest: int = LONGEST_WORD) -> str:
    """What a filter says, as one line of at most `longest` printable characters of ASCII: names of viruses come from strangers, too."""
    text = data if isinstance(data, str) else data[: 4 * longest].decode("ascii", "replace")
    return "".join(char if char.isascii() and char.isprintable() else "?" for char in text[:longest]).strip()
