"""When certificates end: those that relays have shown last, and ours that we show them. Read when somebody asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def ends(shown: Mapping[str, bytes], own: Mapping[str, str]) -> Iterator[tuple[str, str, float]]:
    """The name of a relay, ``host`` or ``ours``, and when that certificate ends, in seconds since the epoch.

    `shown` are certificates as DER, `own` the files of ours. What cannot be read is left out: other things tell of that.
    """
    if not (shown or own):
        return
    from cryptography import x509

    for relay, der in [*shown.items()]:
        try:
            yield relay, "host", x509.load_der_x509_certificate(der).not_valid_after_utc.timestamp()
        except ValueError:
            continue
    for relay, path in own.items():
        try:
            with open(path, "rb") as file:
                yield relay, "ours", x509.load_pem_x509_certificate(file.read(1 << 20)).not_valid_after_utc.timestamp()
        except (OSError, ValueError):
            continue
