"""What Outlook asks when an account is set up: Autodiscover, in XML (MS-OXDSCLI), and the question in JSON where that is.

``POST https://autodiscover.DOMAIN/autodiscover/autodiscover.xml`` has an address in it, and is answered with the doors. The question is a
stranger's: it is read as far as the address, in bounds, and a document type in it, where entities are declared, is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring
from xml.parsers import expat

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .services import MailService

PATH: Final = "/autodiscover/autodiscover.xml"
JSON_PATH: Final = "/autodiscover/autodiscover.json"
MEDIA_TYPE: Final = "text/xml; charset=utf-8"
LARGEST: Final = 16384  # octets of a question
LONGEST: Final = 320  # octets of an address, RFC 3696 erratum 1690

ANSWER: Final = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
OUTLOOK: Final = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
TYPES: Final = {"imap": "IMAP", "pop3": "POP3", "submission": "SMTP"}
ENCRYPTION: Final = {"tls": "SSL", "starttls": "TLS", "none": "None"}


class NoQuestion(ValueError):
    """Octets that ask for no address."""


def address_asked(body: bytes) -> str:
    """The address that a question is about. Raises `NoQuestion`."""
    reader = _Reader()
    try:
        if len(body) > LARGEST:
            raise NoQuestion("the question is too large")
        reader.parser.Parse(body, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise NoQuestion(str(error)) from None
    address = reader.address.strip()
    if not address.isprintable() or not address.rpartition("@")[0]:
        raise NoQuestion("there is no EMailAddress in it")
    return address


class _Reader:
    """Reads a question as far as its address."""

    def __init__(self) -> None:
        self.parser = parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = self._refuse
        parser.StartElementHandler = self._begin
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        self.address = ""
        self._within = False

    def _refuse(self, *_: object) -> None:
        raise NoQuestion("a document type is no part of a question")

    def _begin(self, name: str, _: object) -> None:
        self._within = name.rpartition(":")[2] == "EMailAddress" and not self.address

    def _end(self, _: str) -> None:
        self._within = False

    def _text(self, text: str) -> None:
        if self._within:
            self.address += text
            if len(self.address) > LONGEST:
                raise NoQuestion("the address is too long")


def settings_answer(services: Iterable[MailService], address: str) -> bytes:
    """The answer for an address of ours: the best door of each kind."""
    root = Element("Autodiscover", xmlns=ANSWER)
    response = SubElement(root, "Response", xmlns=OUTLOOK)
    SubElement(SubElement(response, "User"), "DisplayName").text = address
    account = SubElement(response, "Account")
    SubElement(account, "AccountType").text = "email"
    SubElement(account, "Action").text = "settings"
    told: set[str] = set()
    for service in services:
        if service.kind in told:
            continue
        told.add(service.kind)
        protocol = SubElement(account, "Protocol")
        said = {
            "Type": TYPES[service.kind],
            "Server": service.host,
            "Port": str(service.port),
            "DomainRequired": "off",
            "LoginName": address,
            "SPA": "off",
            "SSL": "off" if service.security == "none" else "on",
            "Encryption": ENCRYPTION[service.security],
            "AuthRequired": "on",
        }
        if service.kind == "submission":
            said |= {"UsePOPAuth": "off", "SMTPLast": "off"}
        for name, text in said.items():
            SubElement(protocol, name).text = text
    indent(root)
    return _written(root)


def error_answer(code: int, message: str) -> bytes:
    """The answer where there is nothing to tell; 600 is a question that is none, 500 a provider that is not this one."""
    root = Element("Autodiscover", xmlns=ANSWER)
    error = SubElement(SubElement(root, "Response"), "Error")
    SubElement(error, "ErrorCode").text = str(code)
    SubElement(error, "Message").text = message
    SubElement(error, "DebugData")
    indent(root)
    return _written(root)


def _written(root: Element) -> bytes:
    written: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"
