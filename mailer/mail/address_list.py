"""Address lists: the one reader of addresses as people and programs write them, in header fields and everywhere else.

RFC 5322 §3.4 (display names, comments, folded lines, groups) with the obsolete forms of §4.4, in one pass over the text, so
that its cost grows with the length and with nothing else. What it finds is unchecked: each is for `address.parse`.

The law: every address that is written comes out, or a text that `parse` refuses by name; never fewer than were written.

- Addresses without a comma between them are several: each that stands in angle brackets, and each of a run that all have an ``@``.
- What else stands where an address is due (``John Smith``, ``Anna <a@example.org> Smith``, ``Nobody <>``) comes out as it is written.
- Words before an angle bracket are a display name, also a single one that has an ``@``: so do all readers take it. Those that have one
  and stand before other words, or behind another mailbox, are addresses; but not the address in the brackets, said twice.
"""

from __future__ import annotations

from .address import dot_string, is_plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Token = tuple[int, int, str]
    """Where it begins, where it ends, and its text; a blank for all blanks and comments."""

    Box = tuple[str, int, int, int, int]
    """An address, where it begins and ends (within its brackets, if it has some), and where its whole mailbox does."""


def in_header(value: str) -> Iterator[str]:
    """The addresses in the value of a field such as To or From, in order."""
    for box in boxes(value):
        yield box[0]


def written(text: str) -> list[str]:
    """The addresses in `text`, an argument or a member of JSON: one or a list, and itself where there is none.

    No program folds what it writes there: a line end, or another control character, makes it one text, which `parse` refuses.
    """
    if is_plain(text) or not text.replace("\t", " ").isprintable():
        return [text]
    return list(in_header(text)) or [text]


def boxes(value: str) -> Iterator[Box]:
    """The addresses that `in_header` finds, each with where it stands, to write another in its place."""
    for found in _read(value):
        if not isinstance(found, str):
            yield found


def groups(value: str) -> Iterator[tuple[str, list[Box]]]:
    """The boxes in order: those of each group under its display name as written, those outside of groups under none."""
    name: str = ""
    members: list[Box] = []
    for found in _read(value):
        if isinstance(found, str):
            if name or members:
                yield name, members
            name, members = found, []
        else:
            members.append(found)
    if name or members:
        yield name, members


def comment(value: str, at: int) -> str:
    """The text of the comment that stands at `at` of `value`, behind a mailbox; empty if there is none."""
    while value[at : at + 1] in (" ", "\t"):
        at += 1
    after = _after_comment(value, at) if value[at : at + 1] == "(" else 0
    return value[at + 1 : after - 1] if after else ""


def _read(value: str) -> Iterator[Box | str]:
    """Each box; the name of a group where one begins, and an empty text where it ends."""
    plain: list[Token] = []  # a display name, an address, or several
    angle: list[Token] | None = None
    first = inner = 0  # of the mailbox in brackets; behind its opening bracket
    before = -1  # where the mailbox in brackets begins that stands before `plain`
    for token in _tokens(value):
        at, end, text = token
        if angle is not None and text != ">":
            angle.append(token)
        elif angle is not None:
            yield from _bracketed(value, plain, before, angle, inner, at, first, end)
            plain, angle, before = [], None, first
        elif text == "<":
            first, inner, angle = next((start for start, _, word in plain if word != " "), at), end, []
        elif text in ",;:":
            name = "" if text != ":" or before >= 0 else _phrase(value, plain)
            if not name:
                yield from _loose(value, plain, before)
            if name or text == ";":
                yield name
            plain, before = [], -1
        else:
            plain.append(token)
    if angle is not None:  # no closing bracket: what is there is tried
        end = max((end for _, end, text in angle if text != " "), default=inner)
        yield from _bracketed(value, plain, before, angle, inner, end, first, end)
    else:
        yield from _loose(value, plain, before)


def _phrase(value: str, plain: list[Token]) -> str:
    """The name of a group; empty for what is an address, and so is no name."""
    words = [token for token in plain if token[2] != " "]
    if not words or any("@" in text for _, _, text in words if text[0] != '"'):
        return ""
    return value[words[0][0] : words[-1][1]]


def _bracketed(
    value: str, plain: list[Token], before: int, angle: list[Token], inner: int, outer: int, first: int, last: int
) -> Iterator[Box]:
    """The mailbox that is ``value[first:last]``, with `angle` in its brackets, and before it those addresses of `plain` that are no name.

    Brackets that hold nothing and have no name are none.
    """
    apart, name = _in_front(plain, angle, before)
    if apart:
        yield from _loose(value, apart, before)
        first = name if name >= 0 else inner - 1
    pieces = list(_pieces(_without_route(angle)))
    if len(pieces) == 1:
        yield _address(pieces[0]), inner, outer, first, last
    elif pieces or first < inner - 1:
        text = value[inner:outer] if pieces else value[first:last]
        yield " ".join(text.split()), inner, outer, first, last


def _in_front(plain: list[Token], angle: list[Token], before: int) -> tuple[list[Token], int]:
    """What of `plain`, the tokens before a bracket, are addresses without a comma, and where the display name behind them begins.

    `before` is as in `_read`. The index is -1 where no display name is left.
    """
    pieces = list(_pieces(plain))
    count = next((nth for nth, piece in enumerate(pieces) if not _has_at(piece)), len(pieces))
    inside = [_address(piece).casefold() for piece in _pieces(_without_route(angle))]
    if count and [_address(pieces[count - 1]).casefold()] == inside:
        count -= 1
    if not count or (len(pieces) == 1 and before < 0):
        return [], -1
    found = [token for piece in pieces[:count] for token in (*piece, (piece[-1][1], piece[-1][1], " "))]
    return found, pieces[count][0][0] if count < len(pieces) else -1


def _loose(value: str, plain: list[Token], before: int) -> Iterator[Box]:
    """What stands in no brackets: an address, several, or a text that is none; one behind a mailbox in brackets belongs to it."""
    pieces = list(_pieces(plain))
    if (len(pieces) == 1 and before < 0) or all(_has_at(piece) for piece in pieces):
        for piece in pieces:
            start, end = piece[0][0], piece[-1][1]
            yield _address(piece), start, end, start, end
    else:
        start, end = pieces[0][0][0], pieces[-1][-1][1]
        text = value[start if before < 0 else before : end]
        yield " ".join(text.split()), start, end, start, end


def _pieces(tokens: list[Token]) -> Iterator[list[Token]]:
    """The tokens of one address each: blanks around ``@`` and ``.`` divide nothing, RFC 5322 §4.4."""
    piece: list[Token] = []
    apart = False
    for token in tokens:
        if token[2] == " ":
            apart = True
            continue
        if piece and apart and token[2][0] not in "@." and piece[-1][2][-1] not in "@.":
            yield piece
            piece = []
        piece.append(token)
        apart = False
    if piece:
        yield piece


def _has_at(piece: list[Token]) -> bool:
    return any("@" in text for _, _, text in piece if text[0] != '"')


def _without_route(angle: list[Token]) -> list[Token]:
    """``@a,@b:user@c`` is ``user@c``: source routes are dropped, RFC 5321 Appendix C."""
    if next((text[0] for _, _, text in angle if text != " "), "") == "@":
        for at, (_, _, text) in enumerate(angle):
            if text == ":":
                return angle[at + 1 :]
    return angle


def _address(piece: list[Token]) -> str:
    """The address that the tokens write, without blanks and folds, and with a local part of one word or quoted as a whole."""
    texts = [_unfolded(text) for _, _, text in piece]
    if any(text[0] == '"' for text in texts) and not (texts[0][0] == '"' and len(texts) > 1 and texts[1][0] == "@"):
        return _one_word(texts) or "".join(texts)
    return "".join(texts)


def _unfolded(text: str) -> str:
    if text[0] == "[" and text[-1] == "]":
        return "[" + text[1:-1].strip(" \t\r\n") + "]"
    return text.replace("\r\n", "")


def _one_word(texts: list[str]) -> str:
    """``"a b".c@d`` as RFC 5321 has it, ``"a b.c"@d``; empty where the words and dots do not alternate. RFC 5322 §4.4"""
    local = ""
    due = True  # another word is
    for at, text in enumerate(texts):
        word, sign, domain = ("", "", "") if text[0] == '"' else text.partition("@")
        if text[0] == '"' and due:
            local, due = local + _unquoted(text), False
        elif text[0] == '"' or ".." in word or (word and due == (word[0] == ".")):
            return ""
        elif word:
            local, due = local + word, word[-1] == "."
        if sign:
            return "" if due else dot_string(local) + sign + domain + "".join(texts[at + 1 :])
    return ""


def _unquoted(text: str) -> str:
    """What a quoted string says."""
    found, escaped = "", False
    for char in text[1:-1]:
        escaped = char == "\\" and not escaped
        if not escaped:
            found += char
    return found


def _tokens(value: str) -> Iterator[Token]:
    """Specials one by one, runs of other text, quoted strings and literals whole; a blank for blanks and comments.

    A comment that does not end is none, for it would swallow all that follows.
    """
    start = at = 0
    end = len(value)
    specials = '"(<>,;:[ \t\r\n'
    while at < end:
        char = value[at]
        if char not in specials:
            at += 1
            continue
        after = _after(value, at)
        if not after:
            specials = specials.replace("(", "")
            continue
        if start < at:
            yield start, at, value[start:at]
        if char in '"[':
            yield at, after, value[at:after]
        else:
            yield at, after, " " if char in "( \t\r\n" else char
        start = at = after
    if start < end:
        yield start, end, value[start:]


def _after(value: str, at: int) -> int:
    """The index after the token that begins with a special at `at`; 0 for a comment that does not end."""
    char = value[at]
    if char == "(":
        return _after_comment(value, at)
    return _closing(value, at, '"' if char == '"' else "]") if char in '"[' else at + 1


def _closing(value: str, at: int, closer: str) -> int:
    """The index after the `closer` that ends what begins at `at`, or the end of the text."""
    at += 1
    while at < len(value) and value[at] != closer:
        at += 2 if value[at] == "\\" else 1
    return min(at + 1, len(value))


def _after_comment(value: str, at: int) -> int:
    """The index after a comment, 0 if it does not end; comments nest, RFC 5322 §3.2.2."""
    depth = 0
    while at < len(value):
        char = value[at]
        if char == "\\":
            at += 1
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
            if not depth:
                return at + 1
        at += 1
    return 0
