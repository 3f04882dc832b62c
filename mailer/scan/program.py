"""A program as a filter: what it is told, and what it means by how it ends.

The message is on its standard input, and who brings it in its environment; nothing of a stranger is ever in its arguments, and no shell
is between. It ends with 0, and may print lines of a header, which go on top; with 20 to refuse the message for good, and then the last
line that it has printed is what the client hears; with 75 to put it off. Whatever else it ends with is a failure of its own, and so is
the end by a signal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.smtp.reply import Reply

from .opinion import Opinion, ScanError, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.mail.arrival import Arrival

REFUSES, PUTS_OFF = 20, 75
MOST = 65536  # octets of its output that are read
LINE = 998  # octets of a line of a header, RFC 5322 §2.1.1
LONGEST_TOLD = 1000  # characters of a variable
RECIPIENTS = 100_000  # characters of all of them together

_NAME = frozenset(range(33, 127)) - {58}


def environment(arrival: Arrival, sender: str, recipients: Sequence[str]) -> dict[str, str]:
    """What is told of who brings a message, and for whom; recipients are divided by blanks. Control characters are left out."""
    told = {
        "MAILER_DOOR": arrival.door,
        "REMOTE_ADDR": arrival.ip,
        "REMOTE_NAME": arrival.name,
        "EHLO_DOMAIN": arrival.hello,
        "TLS_VERSION": arrival.tls,
        "AUTH_AS": arrival.user,
        "MAIL_FROM": sender,
    }
    found = {name: _told(value, LONGEST_TOLD) for name, value in told.items()}
    return found | {"RCPT_TO": _told(" ".join(recipients), RECIPIENTS)}


def _told(value: str, longest: int) -> str:
    return "".join(char for char in value[:longest] if char.isprintable())


def read(status: int, output: bytes) -> Opinion:
    """What a program means that ends with `status` (less than 0: by a signal) and has printed `output`. Raises `ScanError`."""
    if status == 0:
        return Opinion(fields=header(output), reason="it has nothing against it")
    last = _last(output)
    if status == REFUSES:
        return Opinion("refuse", reason=last or "it refuses", reply=Reply.own(554, "5.7.1", last or "refused by a filter"))
    if status == PUTS_OFF:
        return Opinion("tempfail", reason=last or "it puts it off", reply=Reply.own(451, "4.7.1", last or "try again later"))
    how = f"signal {-status}" if status < 0 else f"{status}"
    raise ScanError(f"the program ended with {how}" + (f": {last}" if last else ""))


def _last(output: bytes) -> str:
    lines = [text for line in output[-MOST:].splitlines() if (text := plain(line))]
    return lines[-1] if lines else ""


def header(output: bytes) -> bytes:
    """The lines of a header in `output`, each with CRLF. Raises `ScanError` for what is none: it would be read as something else."""
    if len(output) > MOST:
        raise ScanError(f"the program prints more than {MOST} octets")
    lines = [line.removesuffix(b"\r") for line in output.split(b"\n")]
    while lines and not lines[-1].strip():
        lines.pop()
    for at, line in enumerate(lines):
        if not _is_line(line, first=at == 0):
            raise ScanError(f"the program prints what is no field of a header: {plain(line, 60)!r}")
    return b"".join(line + b"\r\n" for line in lines)


def _is_line(line: bytes, *, first: bool) -> bool:
    """Whether it is a field, or goes on with one."""
    if len(line) > LINE or not line.strip() or b"\r" in line or b"\0" in line:
        return False
    if line[0] in b" \t":
        return not first
    name, colon, _ = line.partition(b":")
    return bool(colon and name) and _NAME.issuperset(name)
