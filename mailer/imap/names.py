"""Names of folders as IMAP and Maildir++ write them: in modified UTF-7, RFC 3501 §5.1.3.

``&`` begins a run of base 64 (with ``,`` for ``/`` and without ``=``) of UTF-16, which ``-`` ends; ``&-`` is the sign itself.
"""

from __future__ import annotations

import binascii


def modified_utf7(name: str) -> str:
    """The name of a folder as it is said. A lone surrogate, which has no UTF-16, becomes ``?``."""
    parts, run = [], ""
    for letter in f"{name}\0":
        if " " <= letter <= "~" or letter == "\0":
            if run:
                parts.append(_coded(run))
                run = ""
            parts.append("&-" if letter == "&" else letter)
        else:
            run += letter
    return "".join(parts)[:-1]


def from_modified_utf7(said: str) -> str:
    """The name that `said` writes. Raises `ValueError` for what is no modified UTF-7, as that which would have two ways to be written."""
    parts, at = [], 0
    while (start := said.find("&", at)) >= 0:
        end = said.find("-", start)
        if end < 0:
            raise ValueError("a run of base 64 does not end")
        parts += [said[at:start], _decoded(said[start + 1 : end]) if end > start + 1 else "&"]
        at = end + 1
    name = "".join([*parts, said[at:]])
    if modified_utf7(name) != said:
        raise ValueError("it is not written as it has to be")
    return name


def _coded(run: str) -> str:
    octets = binascii.b2a_base64(run.encode("utf-16-be", "replace"), newline=False)
    return "&" + octets.decode("ascii").rstrip("=").replace("/", ",") + "-"


def _decoded(run: str) -> str:
    """Raises `ValueError`."""
    octets = binascii.a2b_base64(run.replace(",", "/") + "=" * (-len(run) % 4), strict_mode=True)
    return octets.decode("utf-16-be")
