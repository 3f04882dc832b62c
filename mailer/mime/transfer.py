"""The body of a part without its transfer encoding, however it comes in pieces: RFC 2045 §6.

What does not belong to an encoding is passed over, as programs do that people use; how long the pieces are makes no difference to what
comes out.
"""

from __future__ import annotations

from binascii import a2b_base64, a2b_qp
from typing import Final

IDENTITY: Final = frozenset({"", "7bit", "8bit", "binary"})
KNOWN: Final = IDENTITY | {"base64", "quoted-printable"}
BLANKS: Final = b" \t"
PADDED: Final = (b" \r\n", b"\t\r\n", b" \n", b"\t\n")
LONGEST_LINE: Final = 1 << 16  # octets of a line in quoted-printable that are waited for
_LETTERS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_NO_LETTERS: Final = bytes(octet for octet in range(256) if octet not in _LETTERS)


class TransferDecoding:
    """Takes away one of the `KNOWN` encodings, piece by piece."""

    def __init__(self, encoding: str) -> None:
        self._turn = {"base64": self._base64, "quoted-printable": self._quoted}.get(encoding, bytes)
        self._left = b""
        self._ended = False

    def fed(self, octets: bytes) -> bytes:
        """What is known of the body with these octets."""
        return self._turn(octets)

    def end(self) -> bytes:
        """What is left when there are no more."""
        left, self._left = self._left, b""
        if self._turn == self._quoted:
            return a2b_qp(left.rstrip(BLANKS))
        return a2b_base64(left + b"=" * (-len(left) % 4)) if len(left) > 1 else b""

    def _base64(self, octets: bytes) -> bytes:
        """Groups of four letters (RFC 2045 §6.8); behind the first sign that fills one up nothing belongs to it."""
        if self._ended:
            return b""
        letters, fill, _ = (self._left + octets.translate(None, _NO_LETTERS)).partition(b"=")
        self._ended = bool(fill)
        whole = len(letters) // 4 * 4
        self._left = letters[whole:]
        return a2b_base64(letters[:whole])

    def _quoted(self, octets: bytes) -> bytes:
        """Lines, of which a soft one goes on in the next (RFC 2045 §6.7)."""
        octets = self._left + octets
        whole = octets.rfind(b"\n") + 1
        if not whole and len(octets) > LONGEST_LINE:
            sign = octets.find(b"=", len(octets) - 3)
            whole = sign if sign >= 0 else len(octets)
        self._left = octets[whole:]
        return a2b_qp(_without_padding(octets[:whole]))


def _without_padding(octets: bytes) -> bytes:
    """Lines of quoted-printable without the blanks at their ends, which somebody on the way has put there (RFC 2045 §6.7, rule 3)."""
    if not any(each in octets for each in PADDED):
        return octets
    return b"\n".join(
        line[:-1].rstrip(BLANKS) + b"\r" if line.endswith(b"\r") else line.rstrip(BLANKS) for line in octets.split(b"\n")
    )  # fmt: skip


def without_encoding(octets: bytes, encoding: str) -> bytes:
    """A whole body without its encoding, one of the `KNOWN`."""
    if encoding in IDENTITY:
        return octets
    decoding = TransferDecoding(encoding)
    return decoding.fed(octets) + decoding.end()
