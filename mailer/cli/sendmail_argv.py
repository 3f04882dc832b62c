"""The command line of sendmail(8), read as Postfix and sendmail read it.

Used by `sendmail`. What an option means here is in `Asked`; ``mailer-sendmail(1)`` says it to people. Options are those of getopt(3):
a value stands in the same word or in the next, flags may run together, and everything from the first word
that is no option is a recipient, however it looks: a stranger's address must not become an option.

What asks for something that is not done here is refused, in words that say where to find it. What would only change how
something is done is taken and dropped, because programs pass it blindly.
"""

from __future__ import annotations

from mailer.mail.problem import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WITH_VALUE = frozenset("ABCDFLMNORVXbefhopr")
"""Options whose value follows, in the same word or in the next."""

JOINED = frozenset("dq")
"""Options whose value, if any, stands in the same word."""

FLAGS = frozenset("GITUcimnstvx")
"""Options without a value."""

SEND, SESSION, LIST, FLUSH, NOTHING = "m", "s", "p", "q", "i"
"""What can be done. The letters are those of ``-b``, as far as it has one."""

MODES = {"m": SEND, "s": SESSION, "p": LIST, "i": NOTHING, "h": NOTHING, "H": NOTHING}
"""``-b``. There is no database of aliases to build and none of hosts to print, so these do nothing, and that is success."""

ELSEWHERE = {
    "d": "`mailer run` is the daemon",
    "l": "`mailer run` is the daemon",
    "D": "`mailer run` is the daemon",
    "t": "`mailer route ADDRESS` tests where mail would go",
    "v": "`mailer route ADDRESS` tests where mail would go",
    "P": "`mailq` ends with the number of messages",
    "a": "",
}
"""Modes of sendmail that are not offered, and what is instead."""


class Asked:
    """The wishes of a command line of sendmail(8).

    `mode` is one of the five; `flush` the words after ``-q``: nothing, or ``I`` and an ID, or ``R`` and a domain. `sender` None is
    whoever the message says. `dots`: a lone dot ends the message. `warnings` are options that were dropped although
    they meant something.
    """

    __slots__ = (
        "dots",
        "envid",
        "flush",
        "from_header",
        "full_name",
        "mode",
        "notify",
        "recipients",
        "ret",
        "sender",
        "verbose",
        "warnings",
    )

    def __init__(self) -> None:
        self.mode = SEND
        self.flush = ""
        self.dots = True
        self.from_header = False
        self.sender: str | None = None
        self.full_name: str | None = None
        self.notify = self.ret = self.envid = ""
        self.verbose = False
        self.recipients: list[str] = []
        self.warnings: list[str] = []

    def options(self) -> dict[str, object] | None:
        """What ``-N``, ``-R`` and ``-V`` ask of those who carry the message, as an envelope has it."""
        asked: dict[str, object] = {}
        for name in ("notify", "ret", "envid"):
            if value := getattr(self, name):
                asked[name] = value
        return asked or None


def read(arguments: list[str]) -> Asked:
    """Read `arguments`, without the program's name. Raises `Problem`: usage for what is wrong, unavailable for what is not offered."""
    asked = Asked()
    words = iter(arguments)
    for word in words:
        if word == "--":
            break
        if word[:1] != "-" or word == "-":
            asked.recipients.append(word)
            break
        for letter, value in _options(word, words):
            if letter in _MEANINGS:
                _MEANINGS[letter](asked, value)
    for word in words:
        if word != "--":  # behind a recipient it divides nothing any more
            asked.recipients.append(word)
    _agree(asked)
    return asked


def _options(word: str, words: Iterator[str]) -> Iterator[tuple[str, str]]:
    """Each letter of `word` with its value, which may be the next of `words`."""
    for at, letter in enumerate(word[1:], 1):
        rest = word[at + 1 :]
        if letter in WITH_VALUE:
            value = rest or next(words, None)
            if value is None:
                raise Problem(f"the option -{letter} needs a value", "usage")
            yield letter, value
            return
        if letter in JOINED:
            yield letter, rest
            return
        if letter not in FLAGS:
            raise Problem(f"sendmail has no option {word!r}" if at == 1 else f"sendmail has no option -{letter}, in {word!r}", "usage")
        yield letter, ""


def _agree(asked: Asked) -> None:
    """What does not go together is a mistake. Raises `Problem` (usage)."""
    if asked.mode == SEND:
        return
    if asked.from_header:
        raise Problem("-t goes with sending a message, and with nothing else", "usage")
    if asked.recipients:
        what = {SESSION: "-bs", LIST: "a list of the queue", FLUSH: "-q", NOTHING: "newaliases"}[asked.mode]
        raise Problem(f"{what} takes no recipient", "usage")


# What the letters mean. Those that have no line here change nothing.


def _mode(asked: Asked, value: str) -> None:
    if value in ELSEWHERE:
        hint = ELSEWHERE[value]
        raise Problem(f"sendmail -b{value} is not offered here{hint and '; ' + hint}", "unavailable")
    if value not in MODES:
        raise Problem(f"sendmail has no mode -b{value}", "usage")
    asked.mode = MODES[value]


def _queue(asked: Asked, value: str) -> None:
    if value[:1].isdigit():  # how often a daemon of its own would look; the daemon knows that itself
        asked.mode = NOTHING
    elif value in ("", "f"):
        asked.mode, asked.flush = FLUSH, ""
    elif value[0] in "IR" and len(value) > 1:
        asked.mode, asked.flush = FLUSH, value
    else:
        raise Problem(f"-q{value} is not offered here; -q, -qI and an ID, or -qR and a domain are", "usage")


def _option(asked: Asked, value: str) -> None:
    if value.startswith("i"):
        asked.dots = False


def _body(_: Asked, value: str) -> None:
    """What the body is, we see; but a word that is none is a mistake."""
    if value.upper() not in ("7BIT", "8BITMIME"):  # RFC 6152 §2
        raise Problem("-B takes 7BIT or 8BITMIME", "usage")


def _notify(asked: Asked, value: str) -> None:
    words = value.upper().replace(" ", "").split(",")
    if words == ["NEVER"] or (set(words) <= {"SUCCESS", "FAILURE", "DELAY"} and len(set(words)) == len(words)):  # RFC 3461 §4.1
        asked.notify = ",".join(words)
    else:
        asked.warnings.append(f"-N {value!r} is dropped: it takes never, or some of success, failure and delay")


def _return(asked: Asked, value: str) -> None:
    if value.upper() in ("FULL", "HDRS"):  # RFC 3461 §4.3
        asked.ret = value.upper()
    else:
        asked.warnings.append(f"-R {value!r} is dropped: it takes full or hdrs")


def _envelope_id(asked: Asked, value: str) -> None:
    if 0 < len(value) <= 100 and value.isascii() and value.isprintable():  # RFC 3461 §4.4
        asked.envid = value
    else:
        asked.warnings.append("-V is dropped: it takes at most 100 printable characters of ASCII")


def _sender(asked: Asked, value: str) -> None:
    asked.sender = value


def _set(name: str, value: object) -> Callable[[Asked, str], None]:
    def take(asked: Asked, _: str) -> None:
        setattr(asked, name, value)

    return take


def _full_name(asked: Asked, value: str) -> None:
    asked.full_name = value


_MEANINGS: dict[str, Callable[[Asked, str], None]] = {
    "b": _mode,
    "q": _queue,
    "o": _option,
    "B": _body,
    "N": _notify,
    "R": _return,
    "V": _envelope_id,
    "f": _sender,
    "r": _sender,
    "F": _full_name,
    "i": _set("dots", False),
    "t": _set("from_header", True),
    "v": _set("verbose", True),
    "I": _set("mode", NOTHING),
}
