"""The file of a private key: read when the key is needed first, and refused if others could have read it too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.mail.failure import BAD_CONFIG, Failure

from .secret import read_private

if TYPE_CHECKING:
    from mailer.dkim.key import PrivateKey

LONGEST = 16384  # bytes; RSA-4096 has 3300, and there may be remarks beside it


def read_key(path: str, owner: int | None = None) -> PrivateKey:
    """The key in the PEM file at `path`; `owner` as for `read_private`.

    Raises `Failure`: 78 if it has to be set up better, 77 if it may not be read.
    """
    from mailer.dkim.key import KeyProblem, private_key

    pem = read_private(path, "the key file", LONGEST, owner)
    try:
        return private_key(pem)
    except KeyProblem as problem:
        raise Failure(f"the key file {path} cannot be used: {problem}", BAD_CONFIG) from None
