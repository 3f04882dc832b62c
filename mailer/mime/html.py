"""The text of HTML: its tags gone, blocks as lines, characters by their names.

Used for previews and for search, not to show HTML to anybody. No pattern here goes over a character twice, whatever is left open, and the
interpreter is held for no more than `BLOCK` characters.
"""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = 1 << 16  # characters that are looked at together

REACH = 1100  # characters that are seen behind a block, for what begins in it

_OPENING = re.compile(r"<(?:!--|(script|style|template|noembed|noframes)(?=[\s/>]))", re.IGNORECASE | re.ASCII)
_CLOSING = {
    name: re.compile(rf"</{name}(?=[\s/>])[^<>]{{0,1000}}>?", re.IGNORECASE | re.ASCII)
    for name in ("script", "style", "template", "noembed", "noframes")
}
_END_OF_COMMENT = re.compile("--!?>")
_LINES = re.compile(
    r"</?(?:address|article|aside|blockquote|body|br|caption|center|dd|div|dl|dt|fieldset|figure|footer|form|h[1-6]|head|header|hr|html|legend|"
    r"li|main|nav|ol|option|p|pre|section|table|tbody|td|tfoot|th|thead|title|tr|ul)(?=[\s/>])[^<>]*>?",
    re.IGNORECASE | re.ASCII,
)
_TAGS = re.compile(r"</?[a-zA-Z][a-zA-Z0-9:_-]*(?:(?=[\s/])[^<>]*)?>|<[!?][^<>]*>")


def text_of_html(markup: str) -> str:
    """The text of HTML in lines, without white space at their ends."""
    text = "".join(_TAGS.sub("", _LINES.sub("\0", block)) for block in _blocks("".join(_read(markup))))
    return "\n".join(line for line in (" ".join(unescape(line).split()) for line in text.split("\0")) if line)


def _read(markup: str) -> Iterator[str]:
    """What is not within comments, scripts and styles."""
    at = 0
    while (opening := _found(_OPENING, markup, at)) is not None:
        yield markup[at : opening.start()]
        name = opening[1]
        closing = _found(_CLOSING[name.lower()], markup, opening.end()) if name else _found(_END_OF_COMMENT, markup, opening.end() - 2)
        if closing is None:
            return
        at = closing.end()
    yield markup[at:]


def _found(what: re.Pattern[str], text: str, at: int) -> re.Match[str] | None:
    """The first match, looked for in one block after the other."""
    blocks = range(at, len(text), BLOCK)
    return next((found for start in blocks if (found := what.search(text, start, start + BLOCK + REACH))), None)


def _blocks(markup: str) -> Iterator[str]:
    """Pieces that end where a tag begins, if there is one: no tag has a ``<`` within."""
    at = 0
    while at < len(markup):
        end = at + BLOCK
        cut = markup.rfind("<", at + 1, end) if end < len(markup) else -1
        yield markup[at : cut if cut > at else end]
        at = cut if cut > at else end
