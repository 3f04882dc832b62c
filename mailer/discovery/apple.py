"""A profile for iPhones, iPads and Macs: one tap sets the account up, and asks for the password.

A property list of the form that Apple calls a configuration profile, with one payload ``com.apple.mail.managed``. Its identifiers follow
from domain and address, so that a second one takes the place of the first. Signed with the certificate of the door, it is shown as
verified; unsigned, it is installed after a warning.
"""

from __future__ import annotations

import plistlib
from typing import TYPE_CHECKING, Any, Final
from uuid import NAMESPACE_URL, uuid5

from .services import first

if TYPE_CHECKING:
    from .services import MailService

PATH: Final = "/email.mobileconfig"
MEDIA_TYPE: Final = "application/x-apple-aspen-config"
TYPES: Final = {"imap": "EmailTypeIMAP", "pop3": "EmailTypePOP"}


def profile(services: tuple[MailService, ...], address: str) -> bytes:
    """The profile for an address. Raises `LookupError` where there is no door to read mail by."""
    local, _, domain = address.rpartition("@")
    incoming = first(services, "imap") or first(services, "pop3")
    if incoming is None:
        raise LookupError("there is no door to read mail by")
    name = ".".join([*reversed(domain.split(".")), "mail"])
    payload: dict[str, Any] = {
        "PayloadType": "com.apple.mail.managed",
        "PayloadVersion": 1,
        "PayloadIdentifier": f"{name}.account",
        "PayloadUUID": _uuid(address, "account"),
        "PayloadDisplayName": address,
        "EmailAccountType": TYPES[incoming.kind],
        "EmailAccountDescription": address,
        "EmailAccountName": local,
        "EmailAddress": address,
        "IncomingMailServerAuthentication": "EmailAuthPassword",
        "IncomingMailServerHostName": incoming.host,
        "IncomingMailServerPortNumber": incoming.port,
        "IncomingMailServerUseSSL": incoming.security != "none",
        "IncomingMailServerUsername": address,
    }
    outgoing = first(services, "submission")
    if outgoing is not None:
        payload |= {
            "OutgoingMailServerAuthentication": "EmailAuthPassword",
            "OutgoingMailServerHostName": outgoing.host,
            "OutgoingMailServerPortNumber": outgoing.port,
            "OutgoingMailServerUseSSL": outgoing.security != "none",
            "OutgoingMailServerUsername": address,
            "OutgoingPasswordSameAsIncomingPassword": True,
        }
    return plistlib.dumps({
        "PayloadType": "Configuration",
        "PayloadVersion": 1,
        "PayloadIdentifier": name,
        "PayloadUUID": _uuid(address, "profile"),
        "PayloadDisplayName": f"Mail of {address}",
        "PayloadDescription": f"Sets up {address} at {incoming.host}.",
        "PayloadOrganization": domain,
        "PayloadRemovalDisallowed": False,
        "PayloadContent": [payload],
    })  # fmt: skip


def _uuid(address: str, what: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"mailto:{address}#{what}")).upper()
