"""Where programs of users ask for the doors of this machine: Thunderbird's file, Outlook's Autodiscover, Apple's profile.

Nobody needs a key. The answer is the same for all addresses of a domain of ours, whether somebody has them or not, and for a domain that
is not ours there is none. It says what stands in the configuration; nothing is looked up.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from starlette.responses import JSONResponse, Response

from mailer.discovery import apple, outlook, thunderbird
from mailer.discovery.services import is_served, services_of
from mailer.discovery.signed import signed
from mailer.mail.problem import Problem

from .answer import ApiRefusal
from .desk import Desk
from .endpoint import WebEndpoint
from .room import whole_body

if TYPE_CHECKING:
    from starlette.requests import Request

    from mailer.config import Config
    from mailer.discovery.services import MailService

NAMES: Final = ("autoconfig", "autodiscover")
"""Hosts of a domain where programs look."""

ADDRESS_NAMES: Final = ("emailaddress", "address", "email")
LONGEST: Final = 320  # characters of an address
NOT_OURS: Final = "nothing is known of that domain here"

AUTODISCOVER: Final = (outlook.PATH, "/Autodiscover/Autodiscover.xml", "/AutoDiscover/AutoDiscover.xml")
JSON_PATHS: Final = (outlook.JSON_PATH, "/Autodiscover/Autodiscover.json", f"{outlook.JSON_PATH}/v1.0/{{address}}")


async def thunderbird_file(request: Request) -> Response:
    """``config-v1.1.xml``."""
    services, domain, _ = _asked(request)
    return Response(thunderbird.client_config(services, domain), headers={"Content-Type": thunderbird.MEDIA_TYPE})


async def outlook_settings(request: Request) -> Response:
    """The answer to Outlook's question, which is in the body."""
    config = Desk.of(request).config
    try:
        address = outlook.address_asked(await whole_body(request))
    except outlook.NoQuestion as no:
        request.scope["state"]["asked"].reason = str(no)
        return _xml(outlook.error_answer(600, "Invalid Request"))
    services = services_of(config)
    if not services or not is_served(config, address.rpartition("@")[2]):
        return _xml(outlook.error_answer(500, NOT_OURS))
    return _xml(outlook.settings_answer(services, address))


async def outlook_place(request: Request) -> Response:
    """Where Outlook's question is to be asked, in JSON; the one protocol that is known is AutodiscoverV1. Raises `ApiRefusal`."""
    if request.query_params.get("Protocol", "").lower() != "autodiscoverv1":
        return JSONResponse({"ErrorCode": "InvalidProtocol", "ErrorMessage": "The one protocol here is AutodiscoverV1."}, 400)
    address = request.path_params.get("address") or request.query_params.get("Email", "")
    config = Desk.of(request).config
    if address and not is_served(config, address.rpartition("@")[2]):
        raise ApiRefusal(404, "not_found", NOT_OURS)
    url = f"https://{request.url.netloc}{outlook.PATH}"
    return JSONResponse({"Protocol": "AutodiscoverV1", "Url": url})


async def apple_profile(request: Request) -> Response:
    """The profile for an address, signed where the door has a certificate. Raises `ApiRefusal`."""
    services, domain, address = _asked(request)
    if not address.rpartition("@")[0]:
        raise ApiRefusal(400, "bad_request", f"which address? Ask {apple.PATH}?address=you@{domain}")
    try:
        content = apple.profile(services, address)
    except LookupError as error:
        raise ApiRefusal(404, "not_found", str(error)) from None
    door = next((section for section in Desk.of(request).config.web_doors if section.certificate_file), None)
    if door is not None:
        try:
            content = await asyncio.to_thread(signed, content, door)
        except Problem as problem:  # unsigned it is as good, after a warning
            request.scope["state"]["asked"].reason = str(problem)
    fields = {"Content-Type": apple.MEDIA_TYPE, "Content-Disposition": 'attachment; filename="mail.mobileconfig"'}
    return Response(content, headers=fields)


def is_asked(config: Config, name: str, path: str) -> bool:
    """Whether `name`, of a Host field, is one where programs look for the doors of a domain of ours, and `path` what they ask there."""
    if path not in PATHS and not path.startswith(f"{outlook.JSON_PATH}/"):
        return False
    label, _, domain = name.partition(".")
    return is_served(config, domain if label in NAMES else name)


def _asked(request: Request) -> tuple[tuple[MailService, ...], str, str]:
    """The doors, the domain and the address that a request asks about. Raises `ApiRefusal`."""
    config = Desk.of(request).config
    address = next((request.query_params[name] for name in ADDRESS_NAMES if name in request.query_params), "")
    if len(address) > LONGEST or not address.isprintable():
        raise ApiRefusal(400, "bad_request", "that is no address")
    domain = address.rpartition("@")[2] or _domain_of(config, request.url.hostname or "")
    services = services_of(config)
    if not services or not is_served(config, domain):
        raise ApiRefusal(404, "not_found", NOT_OURS)
    return services, domain.lower(), address


def _domain_of(config: Config, host: str) -> str:
    """The domain that the name of a host is about, which is above it; where none is, the one that there is."""
    labels = host.split(".")
    above = (".".join(labels[at:]) for at in range(len(labels)))
    only = config.domains[0].name if len(config.domains) == 1 else ""
    return next((name for name in above if is_served(config, name)), only)


def _xml(content: bytes) -> Response:
    return Response(content, headers={"Content-Type": outlook.MEDIA_TYPE})


ENDPOINTS: Final = (
    *(WebEndpoint("GET", path, thunderbird_file) for path in thunderbird.PATHS),
    *(WebEndpoint("POST", path, outlook_settings) for path in AUTODISCOVER),
    *(WebEndpoint("GET", path, outlook_place) for path in JSON_PATHS),
    WebEndpoint("GET", apple.PATH, apple_profile),
)
PATHS: Final = frozenset(endpoint.path for endpoint in ENDPOINTS)
