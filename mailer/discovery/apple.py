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
    domain = address.rpartition("@")[2]
    name = ".".join([*reversed(domain.split(".")), "mail"])
    account = _account(services, address, f"{name}.account")
    return plistlib.dumps({
        "PayloadType": "Configuration",
        "PayloadVersion": 1,
        "PayloadIdentifier": name,
        "PayloadUUID": _uuid(address, "profile"),
        "PayloadDisplayName": f"Mail of {address}",
        "PayloadDescription": f"Sets up {address} at {account['IncomingMailServerHostName']}.",
        "PayloadOrganization": domain,
        "PayloadRemovalDisallowed": False,
        "PayloadContent": [account],
    })  # fmt: skip


def _account(services: tuple[MailService, ...], address: str, name: str) -> dict[str, Any]:
    """The account as a payload of this `name`. Raises `LookupError`."""
    incoming, outgoing = first(services, "imap") or first(services, "pop3"), first(services, "submission")
    if incoming is None:
        raise LookupError("there is no door to read mail by")
    made = {
        "PayloadType": "com.apple.mail.managed",
        "PayloadVersion": 1,
        "PayloadIdentifier": name,
        "PayloadUUID": _uuid(address, "account"),
        "PayloadDisplayName": address,
        "EmailAccountType": TYPES[incoming.kind],
        "EmailAccountDescription": address,
        "EmailAccountName": address.rpartition("@")[0],
        "EmailAddress": address,
        **_server("Incoming", incoming, address),
    }
    if outgoing is not None:
        made |= {**_server("Outgoing", outgoing, address), "OutgoingPasswordSameAsIncomingPassword": True}
    return made


def _server(way: str, service: MailService, address: str) -> dict[str, Any]:
    return {
        f"{way}MailServerAuthentication": "EmailAuthPassword",
        f"{way}MailServerHostName": service.host,
        f"{way}MailServerPortNumber": service.port,
        f"{way}MailServerUseSSL": service.security != "none",
        f"{way}MailServerUsername": address,
    }


def _uuid(address: str, what: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"mailto:{address}#{what}")).upper()
