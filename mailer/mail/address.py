"""Mail addresses: what may stand in an envelope.

Used by submission, the router (the domain) and composing. An `Address` exists only if it is valid, so nobody further
down checks again, and no control character ever reaches a command line of SMTP or a header field through one.

The grammar is RFC 5321 §4.1.2 (Mailbox), with UTF-8 as RFC 6531 §3.3 allows it. `address_list` finds the addresses in header
fields and wherever else people write several.
"""

from __future__ import annotations

MAX_LOCAL = 64  # octets, RFC 5321 §4.5.3.1.1
MAX_DOMAIN = 255  # octets, RFC 5321 §4.5.3.1.2
MAX_ADDRESS = 254  # octets: a path of 256 less its angle brackets, RFC 5321 §4.5.3.1.3

_ATEXT = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~")
_DOTTED = _ATEXT | {"."}
_PLAIN = _DOTTED | {"@"}
_LABEL = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")

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

    @property
    def path(self) -> str:
        """The address in an envelope: the domain in A-labels (RFC 5891) where all else is ASCII, so that only a local part beyond ASCII
        needs SMTPUTF8. RFC 6531 §3.2"""
        return ascii_address(str(self))

    @property
    def host(self) -> str:
        """The domain in A-labels and in lower case, as domains are compared."""
        return ascii_address(f"x@{self.domain}").removeprefix("x@").lower()

    def __repr__(self) -> str:
        return f"Address({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Address) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash((self.local, self.domain))


def parse(text: str, default_domain: str = "", longest: int = MAX_LOCAL) -> Address:
    """The address that `text` writes, with or without angle brackets, whose local part has at most `longest` octets.

    A bare word gets `default_domain`; where that is empty, it is refused, so that mail for ``root``
    never leaves for a domain that nobody chose. A dot behind the domain says only that it is whole (RFC 1034 §3.1), has no place in an
    envelope (RFC 5321 §4.1.2), and falls away. Raises `AddressError`.
    """
    inner = text.strip(" \t")
    if inner.startswith("<") and inner.endswith(">"):
        inner = inner[1:-1]
    _refuse_control(text, inner)
    local, domain = _halves(text, inner)
    _check_local(text, local, longest)
    if not domain:
        if local.startswith("=?") and local.endswith("?="):
            raise AddressError(text, "it is an encoded word, which no address may be (RFC 2047 §5)")
        if not default_domain:
            raise AddressError(text, "it has no domain (set submission.default_domain, or write user@domain)")
        domain = default_domain
    domain = domain.removesuffix(".")
    _check_domain(text, domain)
    address = Address(local, domain)
    if len(address.path.encode()) > MAX_ADDRESS:
        raise AddressError(text, f"it is longer than {MAX_ADDRESS} octets")
    return address


def parse_reverse_path(text: str, default_domain: str = "") -> str:
    """A sender for the envelope: an address, or ``""`` for the null reverse-path (``<>`` or nothing)."""
    if text.strip(" \t") in ("", "<>"):
        return ""
    return parse(text, default_domain).path


def ascii_address(text: str) -> str:
    """An address with its domain in A-labels (RFC 5891), where all else is ASCII; any other is left to SMTPUTF8."""
    local, _, domain = text.rpartition("@")
    if domain.isascii() or not local or not local.isascii():
        return text
    from .domain import ascii_domain

    try:
        return f"{local}@{ascii_domain(domain)}"
    except ValueError:
        return text


def domain_of(text: str) -> str:
    """The domain of an address in an envelope, in lower case, or its literal with the brackets: what recipients are told apart by."""
    return text.rpartition("@")[2].lower()


def same(text: str) -> str:
    """The text that two addresses of one mailbox share: a domain does not tell upper from lower case."""
    return f"{text.rpartition('@')[0]}@{domain_of(text)}"


def dot_string(local: str) -> str:
    """What a local part says, as RFC 5321 §4.1.2 writes it: as it is, or in quotes where it has to be."""
    if all(part and all(char in _ATEXT or char >= "\x80" for char in part) for part in local.split(".")):
        return local
    escaped = local.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def plain_local(local: str) -> str:
    """What a local part says, without the quotes and backslashes that RFC 5321 §4.1.2 writes it with: the reverse of `dot_string`."""
    if len(local) < 2 or not (local[0] == local[-1] == '"'):
        return local
    made, at, end = [], 1, len(local) - 1
    while at < end:
        at += local[at] == "\\" and at + 1 < end
        made.append(local[at])
        at += 1
    return "".join(made)


def is_private(domain: str) -> bool:
    """Whether `domain` can mean something only where it is written: it has no dot, or the last label is one of `PRIVATE`."""
    above, _, last = domain.removesuffix(".").rpartition(".")
    return (not above or last.lower() in PRIVATE) and not domain.startswith("[")


def is_plain(text: str) -> bool:
    """Whether `text` is one word in which nothing is to be found but, perhaps, an address: no name, no comment, no other address."""
    return _PLAIN.issuperset(text)


def printable(text: str) -> str:
    """`text` for one line of an error: control characters become ``?``, length is bounded."""
    if len(text) > 80:
        text = text[:77] + "..."
    return "".join(c if c.isprintable() else "?" for c in text)


def _refuse_control(text: str, inner: str) -> None:
    if not inner.isprintable():  # it is false for C0, DEL, C1, line and paragraph separators, lone surrogates
        char = next(char for char in inner if not char.isprintable())
        raise AddressError(text, f"it holds the control character U+{ord(char):04X}")
    if not inner:
        raise AddressError(text, "it is empty")


def _halves(text: str, inner: str) -> tuple[str, str]:
    """The local part and the domain; the last ``@`` outside quotes divides them."""
    if inner.startswith('"'):
        end = _after_quotes(inner)
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


def _after_quotes(inner: str) -> int:
    """The index after the quoted string that `inner` begins with, or its end."""
    at = 1
    while at < len(inner) and inner[at] != '"':
        at += 2 if inner[at] == "\\" else 1
    return min(at + 1, len(inner))


def _check_local(text: str, local: str, longest: int) -> None:
    if not local:
        raise AddressError(text, "nothing stands before the @")
    if len(local.encode()) > longest:
        raise AddressError(text, f"the part before the @ is longer than {longest} octets")
    if local.startswith('"'):
        _check_quoted(text, local)
        return
    if local[0] == "." or local[-1] == "." or ".." in local:
        raise AddressError(text, "a dot stands at the edge of the part before the @, or two stand together")
    if _DOTTED.issuperset(local):
        return
    for char in local:
        if char not in _DOTTED and char < "\x80":
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
    if not domain.isascii():
        domain = _a_labels(text, domain)
    if len(domain) > MAX_DOMAIN:
        raise AddressError(text, f"the domain is longer than {MAX_DOMAIN} octets")
    labels = domain.split(".")
    for label in labels:
        _check_label(text, label)
    if len(labels) > 1 and labels[-1].isdigit():  # RFC 1123 §2.1
        raise AddressError(text, "no domain ends in a number; write an IP address in square brackets, as in user@[192.0.2.1]")


def _a_labels(text: str, domain: str) -> str:
    """The domain as the DNS has it, RFC 5891."""
    from .domain import ascii_domain

    if domain.endswith((".", "。", "．", "｡")):
        raise AddressError(text, "the domain has an empty label (a dot at its edge, or two together)")
    try:
        return ascii_domain(domain)
    except ValueError as error:
        raise AddressError(text, str(error)) from None


def _check_label(text: str, label: str) -> None:
    if not label:
        raise AddressError(text, "the domain has an empty label (a dot at its edge, or two together)")
    if len(label) > 63:  # RFC 1035 §2.3.4
        raise AddressError(text, f"the label {label!r} of the domain is longer than 63 octets")
    if label[0] == "-" or label[-1] == "-":
        raise AddressError(text, f"the label {label!r} of the domain begins or ends with a hyphen")
    if not _LABEL.issuperset(label):
        char = next(char for char in label if char not in _LABEL)
        raise AddressError(text, f"{char!r} may not stand in a domain")


def _check_literal(text: str, domain: str) -> None:
    """RFC 5321 §4.1.3: ``[192.0.2.1]`` or ``[IPv6:2001:db8::1]``; the address itself must be one."""
    import ipaddress

    inner = domain[1:-1]
    six = inner[5:] if inner[:5].lower() == "ipv6:" else ""
    try:
        if not domain.endswith("]") or "%" in inner:  # a zone means nothing to another host
            raise ValueError
        ipaddress.IPv6Address(six) if six else ipaddress.IPv4Address(inner)
    except ValueError:
        raise AddressError(text, "the address literal is no IP address (write [192.0.2.1] or [IPv6:2001:db8::1])") from None
    if "::" in six and sum(1 + ("." in group) for group in six.split(":") if group) > 6:
        raise AddressError(text, "the :: of the address literal stands for less than two groups")
