"""What a mechanism of SASL binds to at a door with TLS: the certificate that is shown there."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from mailer.sasl.mechanism import server_end_point

if TYPE_CHECKING:
    from mailer.config import Config


def bindings_of(config: Config, kind: str) -> dict[str, bytes]:
    """What SCRAM binds to at all doors of one kind, by the file of the certificate that is shown there."""
    files = {section.certificate_file for section in config.listens if section.kind == kind and section.certificate_file}
    return {file: binding_of(file) for file in files}


def binding_of(certificate: str) -> bytes:
    """What SCRAM binds to: the certificate that is shown, as its file has it now; nothing where it cannot be read."""
    try:
        with open(certificate, encoding="ascii", errors="replace") as file:
            pem, end, _ = file.read(1 << 20).partition(ssl.PEM_FOOTER)
        return server_end_point(ssl.PEM_cert_to_DER_cert(pem[pem.index(ssl.PEM_HEADER) :] + end))
    except (OSError, ValueError):
        return b""
