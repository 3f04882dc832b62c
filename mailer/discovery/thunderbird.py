"""The file by which Thunderbird, and many programs after it, set an account up: ``config-v1.1.xml``.

Its form is described with the database of providers that Thunderbird keeps (Mozilla, "Autoconfig: Config file format"). It is asked for
at ``https://autoconfig.DOMAIN/mail/config-v1.1.xml?emailaddress=ADDRESS`` and
``https://DOMAIN/.well-known/autoconfig/mail/config-v1.1.xml``. It says the same for all addresses of a domain: the program puts its own in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .services import MailService

PATHS: Final = ("/mail/config-v1.1.xml", "/.well-known/autoconfig/mail/config-v1.1.xml")
MEDIA_TYPE: Final = "text/xml; charset=utf-8"
SOCKETS: Final = {"tls": "SSL", "starttls": "STARTTLS", "none": "plain"}


def client_config(services: Iterable[MailService], domain: str) -> bytes:
    """The file for a domain, as octets of UTF-8."""
    root = Element("clientConfig", version="1.1")
    provider = SubElement(root, "emailProvider", id=domain)
    for name in ("domain", "displayName", "displayShortName"):
        SubElement(provider, name).text = domain
    for service in services:
        incoming = service.kind != "submission"
        server = SubElement(provider, "incomingServer" if incoming else "outgoingServer", type=service.kind if incoming else "smtp")
        SubElement(server, "hostname").text = service.host
        SubElement(server, "port").text = str(service.port)
        SubElement(server, "socketType").text = SOCKETS[service.security]
        SubElement(server, "authentication").text = "password-cleartext"  # within TLS
        SubElement(server, "username").text = "%EMAILADDRESS%"
    indent(root)
    written: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"
