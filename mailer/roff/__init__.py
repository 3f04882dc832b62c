"""Manual pages in roff, by the macros of man(7): here the parts that every page is made of, each as text that ends its line.

Words are given as they are to be read, and made safe for roff here: what begins with a dot is no request, a hyphen is one that can be
copied, whatever is not ASCII is named by its number, and ```words``` in backticks are bold. What is returned is joined to a page.
`plain` is the way back: a page as text for a terminal.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

KINDS = {1: "User commands", 5: "File formats", 7: "Miscellanea", 8: "System administration"}
"""The sections of the manual that have pages of ours."""


def text(words: str) -> str:
    """`words` as they are to be read."""
    words = words.replace("\\", "\\e").replace("-", "\\-").replace("…", "...")
    pieces = words.split("`")
    if len(pieces) % 2:
        words = "".join(f"\\fB{piece}\\fR" if at % 2 else piece for at, piece in enumerate(pieces))
    words = "".join(c if c.isascii() else f"\\[u{ord(c):04X}]" for c in words)
    return "\\&" + words if words.startswith((".", "'")) else words


def bold(words: str) -> str:
    """`words` in bold, within a line."""
    return f"\\fB{text(words)}\\fR"


def italic(words: str) -> str:
    """`words` in italics, within a line."""
    return f"\\fI{text(words)}\\fR"


def capital(words: str) -> str:
    """`words` with a capital at their beginning."""
    return words[:1].upper() + words[1:]


def ended(words: str) -> str:
    """`words` with a stop at their end."""
    return words if words.endswith((".", ":")) else words + "."


def sentence(words: str) -> str:
    """`words` as a sentence, within a line."""
    return text(ended(capital(words)))


def paragraphs(words: str) -> str:
    """The paragraphs of `words`, which empty lines part."""
    return ".PP\n".join(f"{text(ended(paragraph))}\n" for paragraph in words.strip("\n").split("\n\n") if paragraph)


def title(page: str, section: int, summary: str) -> str:
    """How the page `page` of that section of the manual begins, with its name and what it is about."""
    made = '.\\" Made by `python -m mailer.manual --write man`; change what it is made of.\n'
    head = f'.TH {text(page.upper())} {section} "" mailer "{KINDS[section]}"\n'
    return f"{made}{head}{heading('NAME')}{text(page)} \\- {text(summary)}\n"


def heading(words: str, macro: str = "SH") -> str:
    """The heading of a section, or with ``SS`` of a part of one."""
    return f".{macro} {text(words)}\n"


def item(tag: str, *lines: str) -> str:
    """A tag, which is roff already, and what is said of it, line by line."""
    return "".join(f"{line}\n" for line in (".TP", tag, *lines))


def example(lines: Iterable[str]) -> str:
    """Lines that stand as they are, moved to the left as one."""
    lines = [*lines]
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "".join((".EX\n", *(text(line[margin:]) + "\n" for line in lines), ".EE\n"))


def see_also(pages: Iterable[str]) -> str:
    """The last section: pages as ``mailer-spool (5)``."""
    return heading("SEE ALSO") + ",\n".join(f".BR {text(page)}" for page in pages) + "\n"
