"""The exit codes of the command line, which are those of sysexits(3), and which of them each kind of `Problem` is."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailer.mail.problem import Kind

OK = 0
USAGE = 64
BAD_MESSAGE = 65
NO_SUCH = 67
UNAVAILABLE = 69
BUG = 70
CANNOT_CREATE = 73
IO_ERROR = 74
TRY_AGAIN = 75
NO_PERMISSION = 77
BAD_CONFIG = 78

EXIT_CODES: dict[Kind, int] = {
    "usage": USAGE,
    "bad-message": BAD_MESSAGE,
    "no-such": NO_SUCH,
    "unavailable": UNAVAILABLE,
    "bug": BUG,
    "cannot-create": CANNOT_CREATE,
    "io-error": IO_ERROR,
    "try-again": TRY_AGAIN,
    "no-permission": NO_PERMISSION,
    "bad-config": BAD_CONFIG,
}
