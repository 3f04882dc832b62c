"""Octets as text of a character set that a stranger names.

Used for whatever is read in mail: parts, fields, names of files. Nothing raises, every octet gives some text, and no text holds half of a
pair of UTF-16. A set that is not known, and a label that is false, is read as `mailer.mail.text.readable` guesses.
"""

from __future__ import annotations

from binascii import Error, a2b_base64
from encodings import normalize_encoding
from encodings.aliases import aliases

from mailer.mail.text import readable

CHARSETS = (frozenset(aliases.values()) - {"mbcs"}) | {"cp720", "cp737", "cp874", "koi8_t", "koi8_u", "iso8859_1", "utf_8_sig"}
"""Python's names of character sets. It has others, of what takes the square of a length (``idna``, ``punycode``) or is no character set;
and each name that it does not know it looks for on the disk, and remembers for ever."""

_GUESSED = frozenset({"", "us-ascii", "ascii", "utf-8", "utf8", "unknown-8bit", "7bit"})
_OTHER_NAMES = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "ks_c_5601-1987": "cp949",
    "iso-8859-8-i": "iso-8859-8",
    "x-sjis": "cp932",
    "shift_jis": "cp932",
}
"""Names that mail uses, and the sets that hold what is written under them."""


def decoded(octets: bytes, charset: str) -> str:
    """Octets as text of the character set `charset`; as readers guess where there is none of that name."""
    name = charset.lower().strip()
    if b"\x1b$" in octets and octets.isascii():  # Japanese by its escapes, whatever the label says; RFC 1468
        name = "iso-2022-jp"
    if name in _GUESSED:
        return readable(octets)[0]
    if name in ("iso-8859-1", "latin1"):
        name = "windows-1252"
    if name in ("unicode-1-1-utf-7", "utf-7") and b"+" not in octets:
        return readable(octets)[0]
    codec = _codec("utf-7" if name == "unicode-1-1-utf-7" else _OTHER_NAMES.get(name, name))
    try:
        text = octets.decode(codec, "replace") if codec else readable(octets)[0]
    except (LookupError, ValueError):
        return readable(octets)[0]
    return text.encode("utf-8", "replace").decode() if codec == "utf_7" else text  # in which half a pair may stand, RFC 2152


def _codec(name: str) -> str:
    """Python's name of the character set; empty for none that is known."""
    plain = normalize_encoding(name).replace(".", "_")
    codec = aliases.get(plain, plain)
    return codec if codec in CHARSETS else ""


def base64_octets(raw: bytes) -> bytes:
    """Base 64, as much of it as is whole groups; text before or behind it is ignored, RFC 2045 §6.8."""
    letters = raw.translate(None, b" \t\r\n")
    try:
        return a2b_base64(letters[: len(letters) // 4 * 4])
    except Error:
        return b""
