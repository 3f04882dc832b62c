"""Mail addresses: what may stand in an envelope, and how addresses are found in header fields.

Used by submission (arguments, ``-t``), the router (the domain) and composing. An `Address` exists
only if it is valid, so nobody further down checks again, and no control character ever reaches a
command line of SMTP or a header field through one.

The grammar is RFC 5321 §4.1.2 (Mailbox), with UTF-8 as RFC 6531 §3.3 allows it. The reader of header
fields follows RFC 5322 §3.4 (display names, comments, folded lines, groups) in one pass over the
text, so its cost grows with the length and with nothing else.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LOCAL = 64  # octets, RFC 5321 §4.5.3.1.1
MAX_DOMAIN = 255  # octets, RFC 5321 §4.5.3.1.2
MAX_ADDRESS = 254  # octets: a path of 256 less its angle brackets, RFC 5321 §4.5.3.1.3

_ATEXT = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~")
_LDH = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")

PRIVATE = frozenset({"localdomain", "localdomain4", "localdomain6", "localhost", "local", "internal", "lan", "arpa"})
"""Last labels of names that the public DNS has no mail for: those of hosts(5), RFC 6761 §6.3, RFC 6762 §3, what ICANN keeps for
private use, what routers give out, and that of ``home.arpa``, RFC 8375 §3."""


class AddressError(ValueError):
    """A text that is no address; `str()` says which text and what is wrong with it."""

    def __init__(self, text: str, problem: str) -> None:
        super().__init__(f"{printable(text)!r} is not an address: {problem}")
        self.problem = problem


class Address:
    """One mailbox: `local` as written, `domain` as written (``[192.0.2.1]`` for a literal)."""

    __slots__ = ("domain", "local")

    def __init__(self, local: str, domain: str) -> None:
        self.local = local
        self.domain = domain

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"

    def __repr__(self) -> str:
        return f"Address({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Address) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash((self.local, self.domain))


def parse(text: str, default_domain: str = "") -> Address:
    """The address that `text` writes, with or without angle brackets.

    A bare word gets `default_domain`; where that is empty, it is refused, so that mail for ``root``
    never leaves for a domain that nobody chose. Raises `AddressError`.
    """
    inner = text.strip(" \t")
    if inner.startswith("<") and inner.endswith(">"):
        inner = inner[1:-1]
    _refuse_control(text, inner)
    local, domain = _halves(text, inner)
    if not domain:
        if not default_domain:
            raise AddressError(text, "it has no domain (set submission.default_domain, or write user@domain)")
        domain = default_domain
    _check_local(text, local)
    _check_domain(text, domain)
    if len(local.encode()) + 1 + len(domain.encode()) > MAX_ADDRESS:
        raise AddressError(text, f"it is longer than {MAX_ADDRESS} octets")
    return Address(local, domain)


def parse_reverse_path(text: str, default_domain: str = "") -> str:
    """A sender for the envelope: an address, or ``""`` for the null reverse-path (``<>`` or nothing)."""
    if text.strip(" \t") in ("", "<>"):
        return ""
    return str(parse(text, default_domain))


def in_header(value: str) -> Iterator[str]:
    """The addresses in the value of a To, Cc or Bcc field, in order, unchecked.

    Takes display names, comments, quoted strings and groups (RFC 5322 §3.4, RFC 6854) as they come;
    yields what stands in angle brackets or stands alone. Give each to `parse`.
    """
    for box in boxes(value):
        yield box[0]


def boxes(value: str) -> Iterator[tuple[str, int, int, int, int]]:
    """The same, each with where it stands, for whoever writes another in its place.

    An address, where it begins and ends in `value` (within its brackets, if it has some), and where the whole mailbox does,
    display name, brackets and all.
    """
    plain: list[str] = []  # what would be the address if no angle bracket follows
    angle: list[str] | None = None
    found: tuple[str, int, int] | None = None
    first = last = inner = at = 0  # of the mailbox; behind its opening bracket
    for at, end, token in _tokens(value):
        if token == "<" and found is None and angle is None:
            angle, inner, last = [], end, end
            first = first if plain else at
        elif token == ">" and angle is not None:
            found, angle, last = (_without_route("".join(angle)), inner, at), None, end
        elif angle is not None:
            angle.append(token)
            last = last if token == " " else end
        elif token in ",;:":
            if token != ":":  # else it was the name of a group; its members follow
                yield from _one(found, plain, first, last)
            found, plain = None, []
        elif token != " ":
            first = first if plain or found else at
            last = end
            plain.append(token)
        elif plain:
            plain.append(token)
    if angle is not None:  # no closing bracket: what is there is tried, and refused by `parse` if bad
        found = "".join(angle), inner, last
    yield from _one(found, plain, first, last)


def _one(found: tuple[str, int, int] | None, plain: list[str], first: int, last: int) -> Iterator[tuple[str, int, int, int, int]]:
    text, start, end = found or ("".join(plain).strip(), first, last)
    if text:
        yield text, start, end, first, last


def _without_route(path: str) -> str:
    """``@a,@b:user@c`` is ``user@c``: source routes are dropped, RFC 5321 Appendix C."""
    if path.startswith("@") and ":" in path:
        return path.partition(":")[2]
    return path


def _tokens(value: str) -> Iterator[tuple[int, int, str]]:
    """Where each begins and ends: specials one by one, runs of other text, quoted strings and literals whole; comments are gone."""
    start = at = 0
    end = len(value)
    while at < end:
        char = value[at]
        if char not in '"(<>,;:[ \t\r\n':
            at += 1
            continue
        if start < at:
            yield start, at, value[start:at]
        start = at
        if char == '"':
            at = _closing(value, at, '"')
            yield start, at, value[start:at]
        elif char == "[":
            at = _closing(value, at, "]")
            yield start, at, value[start:at]
        elif char == "(":
            at = _after_comment(value, at)
        else:
            at += 1
            yield start, at, " " if char in " \t\r\n" else char
        start = at
    if start < end:
        yield start, end, value[start:]


def _closing(value: str, at: int, closer: str) -> int:
    """The index after the `closer` that ends what begins at `at`, or the end of the text."""
    at += 1
    while at < len(value) and value[at] != closer:
        at += 2 if value[at] == "\\" else 1
    return min(at + 1, len(value))


def _after_comment(value: str, at: int) -> int:
    """The index after a comment; comments nest, RFC 5322 §3.2.2."""
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
    return len(value)


def is_private(domain: str) -> bool:
    """Whether `domain` can mean something only where it is written: it has no dot, or the last label is one of `PRIVATE`."""
    above, _, last = domain.removesuffix(".").rpartition(".")
    return (not above or last.lower() in PRIVATE) and not domain.startswith("[")


def printable(text: str) -> str:
    """`text` for one line of an error: control characters become ``?``, length is bounded."""
    if len(text) > 80:
        text = text[:77] + "..."
    return "".join(c if c.isprintable() else "?" for c in text)


def _refuse_control(text: str, inner: str) -> None:
    for char in inner:
        # isprintable is false for C0, DEL, C1, line and paragraph separators, lone surrogates
        if not char.isprintable():
            raise AddressError(text, f"it holds the control character U+{ord(char):04X}")
    if not inner:
        raise AddressError(text, "it is empty")


def _halves(text: str, inner: str) -> tuple[str, str]:
    """The local part and the domain; the last ``@`` outside quotes divides them."""
    if inner.startswith('"'):
        end = _closing(inner, 0, '"')
        local, rest = inner[:end], inner[end:]
        if rest and not rest.startswith("@"):
            raise AddressError(text, "text follows the closing quote of the local part")
        domain = rest[1:]
    else:
        local, at, domain = inner.rpartition("@")
        if not at:
            return inner, ""
    if not domain:
        raise AddressError(text, "nothing stands after the @")
    return local, domain


def _check_local(text: str, local: str) -> None:
    if not local:
        raise AddressError(text, "nothing stands before the @")
    if len(local.encode()) > MAX_LOCAL:
        raise AddressError(text, f"the part before the @ is longer than {MAX_LOCAL} octets")
    if local.startswith('"'):
        _check_quoted(text, local)
        return
    if local[0] == "." or local[-1] == "." or ".." in local:
        raise AddressError(text, "a dot stands at the edge of the part before the @, or two stand together")
    for char in local:
        if char not in _ATEXT and char != "." and char < "\x80":
            raise AddressError(text, f"{char!r} may not stand before the @ (quote the whole part if it belongs there)")


def _check_quoted(text: str, local: str) -> None:
    at = 1
    while at < len(local) - 1:
        if local[at] == "\\":  # RFC 5321 §4.1.2: it quotes a character of ASCII, and the last quote is none of those
            at += 1
            if at == len(local) - 1 or local[at] > "~":
                break
        elif local[at] == '"':
            break
        at += 1
    if at != len(local) - 1 or local[at] != '"':
        raise AddressError(text, "the quotes before the @ are not closed, or a backslash in them quotes nothing that it may")


def _check_domain(text: str, domain: str) -> None:
    if domain.startswith("["):
        _check_literal(text, domain)
        return
    if len(domain.encode()) > MAX_DOMAIN:
        raise AddressError(text, f"the domain is longer than {MAX_DOMAIN} octets")
    for label in domain.split("."):
        if not label:
            raise AddressError(text, "the domain has an empty label (a dot at its edge, or two together)")
        if len(label.encode()) > 63:  # RFC 1035 §2.3.4
            raise AddressError(text, f"the label {printable(label)!r} of the domain is longer than 63 octets")
        if label[0] == "-" or label[-1] == "-":
            raise AddressError(text, f"the label {label!r} of the domain begins or ends with a hyphen")
        for char in label:
            if char not in _LDH and char != "_" and char < "\x80":
                raise AddressError(text, f"{char!r} may not stand in a domain")


def _check_literal(text: str, domain: str) -> None:
    """RFC 5321 §4.1.3: ``[192.0.2.1]`` or ``[IPv6:2001:db8::1]``; the address itself must be one."""
    import ipaddress

    inner = domain[1:-1]
    try:
        if not domain.endswith("]"):
            raise ValueError
        if inner[:5].lower() == "ipv6:":
            ipaddress.IPv6Address(inner[5:])
        else:
            ipaddress.IPv4Address(inner)
    except ValueError:
        raise AddressError(text, "the address literal is no IP address (write [192.0.2.1] or [IPv6:2001:db8::1])") from None
