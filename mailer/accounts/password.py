"""Records of passwords: what is kept of one, and whether a password is the one that a record is of. Pure: chance is an argument.

A record is ``{SCHEME}`` and what the scheme makes of the password, as Dovecot writes it. Ours are of the scheme SCRYPT (RFC 7914); those of
other programs are read as well, as far as Python can check them:

==================  ==============================================================================
``SCRYPT``          ``ln=15,r=8,p=1$SALT$HASH``, both in base 64
``ARGON2ID``        RFC 9106, ``ARGON2I`` too, where argon2-cffi is installed
``PBKDF2``          ``$1$SALT$ROUNDS$HEX``, with SHA-1
``SSHA256``         the digest of password and salt, and the salt; ``SSHA512`` too
``SHA512-CRYPT``    ``$6$``, and ``SHA256-CRYPT`` with ``$5$``, those of crypt(3)
``SCRAM-SHA-256``   ``ITERATIONS,SALT,STOREDKEY,SERVERKEY``
==================  ==============================================================================

The time that a check takes depends on the record and not on the password. It is long on purpose, so that whoever has stolen the records
cannot try many: a check belongs into a thread.
"""

from __future__ import annotations

import hashlib
import hmac
from binascii import a2b_base64, b2a_base64
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from mailer.io.extras import installing
from mailer.mail.problem import Problem
from mailer.sasl.mechanism import CredentialError
from mailer.sasl.scram import prepared

from .crypt import sha_crypt
from .users.api import KeyPair

if TYPE_CHECKING:
    from collections.abc import Callable

COST: Final = 15  # the logarithm of N: 32 MB and a tenth of a second
SALT: Final = 16  # octets
LONGEST: Final = 1024  # octets of a password
ITERATIONS: Final = 65_536
"""Of the keys of SCRAM, RFC 7677 §4 wants at least 4096: a client makes as many at each login, and so does whoever guesses. Clients that
stand on Cyrus SASL (mbsync, mutt, OpenLDAP's) refuse more than this."""

_MOST_COST: Final = 20


def record(password: str, salt: bytes, cost: int = COST) -> str:
    """What is kept of a new password. Raises `Problem` (usage) for one that nobody could type, or that is too long."""
    digest = _scrypt(_usable(password), salt, cost, 8, 1)
    return f"{{SCRYPT}}ln={cost},r=8,p=1${_text(salt)}${_text(digest)}"


def unprovable(random: Callable[[int], bytes]) -> str:
    """A record that no password proves, and that costs as much to find so; `random` gives octets of chance."""
    return f"{{SCRYPT}}ln={COST},r=8,p=1${_text(random(SALT))}${_text(random(32))}"


def key_pair(password: str, salt: bytes, iterations: int) -> KeyPair:
    """What is kept of it for SCRAM-SHA-256, RFC 5802 §3. Raises `Problem` as `record` does."""
    return _key_pair(_usable(password), salt, iterations)


def is_record(text: str) -> bool:
    """Whether `text` is a record of a scheme that can be checked here."""
    try:
        _read(text)
    except Problem:
        return False
    return True


def proves(text: str, password: str) -> bool:
    """Whether `password` is the one that the record `text` is of. Raises `Problem` (bad-config) for a record that cannot be checked."""
    check = _read(text)
    octets = password.encode("utf-8", "surrogateescape")
    if len(octets) > LONGEST or b"\0" in octets:  # HMAC fills up what it is given with NULs, and takes such a one for the one without
        return False
    try:
        return check(octets) or (not password.isascii() and check(prepared(password).encode()))
    except CredentialError:
        return False


def _usable(password: str) -> bytes:
    try:
        octets = prepared(password).encode()
    except (CredentialError, UnicodeEncodeError):
        raise Problem("the password holds a character that none may have (RFC 4013 §2.3)", "usage") from None
    if not octets or any(char < " " or char == "\x7f" for char in password):
        raise Problem("a password is one line of text, and not an empty one", "usage")
    if len(octets) > LONGEST:
        raise Problem(f"a password has at most {LONGEST} octets", "usage")
    return octets


def _read(text: str) -> Callable[[bytes], bool]:
    """What checks a password by a record. Raises `Problem` (bad-config), which does not repeat it."""
    scheme, closed, rest = text[1:].partition("}")
    if not text.startswith("{") or not closed:
        raise Problem("a record of a password cannot be checked: it does not begin with a scheme, as {SCRYPT}", "bad-config")
    reader = _SCHEMES.get(scheme.upper())
    if reader is None:
        raise Problem(f"a record of the scheme {scheme[:40]!r} cannot be checked; schemes are {', '.join(_SCHEMES)}", "bad-config")
    try:
        return reader(rest)
    except (ValueError, KeyError):
        raise Problem(f"a record of the scheme {scheme.upper()} cannot be checked: what follows is none", "bad-config") from None


def _read_scrypt(text: str) -> Callable[[bytes], bool]:
    terms, salt, digest = text.removeprefix("$scrypt$").split("$")
    found = dict(term.split("=", 1) for term in terms.split(","))
    cost, block, parallel = int(found["ln"]), int(found["r"]), int(found["p"])
    if not (1 <= cost <= _MOST_COST and 1 <= block <= 32 and 1 <= parallel <= 16):
        raise ValueError("its cost is out of all proportion")
    octets, wanted = _octets(salt), _octets(digest)
    return lambda password: hmac.compare_digest(_scrypt(password, octets, cost, block, parallel, len(wanted)), wanted)


def _scrypt(password: bytes, salt: bytes, cost: int, block: int, parallel: int, length: int = 32) -> bytes:
    memory = 128 * block * ((1 << cost) + parallel + 2) + (1 << 20)
    return hashlib.scrypt(password, salt=salt, n=1 << cost, r=block, p=parallel, maxmem=memory, dklen=length)


def _read_argon2(text: str) -> Callable[[bytes], bool]:
    """As the others; raises `Problem` without the library."""
    try:
        from argon2 import PasswordHasher, extract_parameters
        from argon2.exceptions import Argon2Error, InvalidHash
    except ModuleNotFoundError:
        raise Problem(f"a record of Argon2 cannot be checked without the extra argon2: {installing('argon2')}", "bad-config") from None
    try:
        extract_parameters(text)
    except InvalidHash as error:
        raise ValueError(str(error)) from None

    def check(password: bytes) -> bool:
        try:
            return PasswordHasher().verify(text, password)
        except Argon2Error:
            return False

    return check


def _read_pbkdf2(text: str) -> Callable[[bytes], bool]:
    empty, version, salt, rounds, digest = text.split("$")
    wanted, count = bytes.fromhex(digest), int(rounds)
    if empty or version != "1" or len(wanted) != 20 or not 1 <= count <= 10_000_000:
        raise ValueError("it is no PBKDF2 record of Dovecot's")
    return lambda password: hmac.compare_digest(hashlib.pbkdf2_hmac("sha1", password, salt.encode(), count), wanted)


def _read_salted(algorithm: str) -> Callable[[str], Callable[[bytes], bool]]:
    size = hashlib.new(algorithm).digest_size

    def read(text: str) -> Callable[[bytes], bool]:
        octets = _octets(text)
        wanted, salt = octets[:size], octets[size:]
        if len(wanted) != size or not salt:
            raise ValueError("it is too short for digest and salt")
        return lambda password: hmac.compare_digest(hashlib.new(algorithm, password + salt).digest(), wanted)

    return read


def _read_scram(text: str) -> Callable[[bytes], bool]:
    iterations, salt, stored, server = text.split(",")
    wanted = KeyPair(_octets(stored), _octets(server))
    octets, count = _octets(salt), int(iterations)
    if not 1 <= count <= 10_000_000:
        raise ValueError("its iterations are out of all proportion")
    return lambda password: hmac.compare_digest(_key_pair(password, octets, count).stored_key, wanted.stored_key)


def scram_of(text: str) -> tuple[KeyPair, bytes, int] | None:
    """The keys, the salt and the iterations of a record of the scheme SCRAM-SHA-256; None for any other."""
    scheme, _, rest = text[1:].partition("}")
    if scheme.upper() != "SCRAM-SHA-256" or not is_record(text):
        return None
    iterations, salt, stored, server = rest.split(",")
    return KeyPair(_octets(stored), _octets(server)), _octets(salt), int(iterations)


def _key_pair(password: bytes, salt: bytes, iterations: int) -> KeyPair:
    salted = hashlib.pbkdf2_hmac("sha256", password, salt, iterations)
    client = hmac.digest(salted, b"Client Key", "sha256")
    return KeyPair(sha256(client).digest(), hmac.digest(salted, b"Server Key", "sha256"))


def _read_crypt(prefix: str) -> Callable[[str], Callable[[bytes], bool]]:
    def read(text: str) -> Callable[[bytes], bool]:
        if not text.startswith(prefix):
            raise ValueError(f"it does not begin with {prefix}")
        sha_crypt(b"", text, only_read=True)
        return lambda password: hmac.compare_digest(sha_crypt(password, text), text)

    return read


def _octets(text: str) -> bytes:
    """What base 64 says, with its padding or without. Raises `ValueError`."""
    return a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True)


def _text(octets: bytes) -> str:
    return b2a_base64(octets, newline=False).decode().rstrip("=")


_SCHEMES: Final[dict[str, Callable[[str], Callable[[bytes], bool]]]] = {
    "SCRYPT": _read_scrypt,
    "ARGON2ID": _read_argon2,
    "ARGON2I": _read_argon2,
    "PBKDF2": _read_pbkdf2,
    "SSHA256": _read_salted("sha256"),
    "SSHA512": _read_salted("sha512"),
    "SHA512-CRYPT": _read_crypt("$6$"),
    "SHA256-CRYPT": _read_crypt("$5$"),
    "SCRAM-SHA-256": _read_scram,
}
