"""One question to an OAuth provider: a form is posted to an endpoint, and the answer is an object or a refusal (RFC 6749 §5).

Used by `oauth`, which renews access tokens, and `oauth_login`, which begins. TLS with a verified certificate, always. No token, code or
secret is in a text, whatever fails; of what the provider says only its error code and its description of the error are shown, without
what we told it. Blocking: to be called in a thread.
"""

from __future__ import annotations

import http.client
import json
import re
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from mailer.mail.problem import Problem
from mailer.smtp.reply import HIDDEN

if TYPE_CHECKING:
    from collections.abc import Mapping
    from urllib.parse import SplitResult

PATIENCE = 30.0  # seconds for the provider
LARGEST = 65536  # octets of its answer
DESCRIBED = 200  # characters of what it says of an error
SECRETS = ("refresh_token", "client_secret", "device_code", "code", "code_verifier")

_ERROR = re.compile(r"[a-z_]{1,40}")


class OAuthRefusal(Exception):
    """The provider refused: its error `code` (RFC 6749 §5.2, RFC 8628 §3.5) and what it `said` of it, as it may be shown."""

    def __init__(self, code: str, said: str) -> None:
        super().__init__(f"{code}{said}")
        self.code = code
        self.said = said

    def problem(self, where: str) -> Problem:
        """The refusal of `where` in words that say what to do: bad-config where somebody has to act, else try-again."""
        code, said = self.code, self.said
        if code in ("invalid_client", "unauthorized_client"):
            return Problem(f"{where}: the client is not accepted ({code}){said}; check its id and its secret", "bad-config")
        if code == "invalid_scope":
            return Problem(f"{where}: the scope is not accepted (invalid_scope){said}; check it", "bad-config")
        return Problem(f"{where} gave no token ({code}){said}", "try-again")


def ask(endpoint: str, form: Mapping[str, str], ca_file: str, what: str) -> dict[str, object]:
    """The answer to `form` of `endpoint`, an https address which `what` is the name of; `ca_file` is empty for the system's authorities.

    Raises `OAuthRefusal` for an error of the provider's, and `Problem` (bad-config, try-again) where it cannot be asked.
    """
    url = https(endpoint, what)
    assert url.hostname
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
        connection = http.client.HTTPSConnection(url.hostname, url.port, timeout=PATIENCE, context=context)
        try:
            connection.request("POST", url.path + (f"?{url.query}" if url.query else "") or "/", urlencode(form), headers)
            response = connection.getresponse()
            status, body = response.status, response.read(LARGEST)
        finally:
            connection.close()
    except (OSError, http.client.HTTPException) as error:
        raise Problem(f"the {what} {url.hostname} cannot be asked for a token: {_reason(error)}", "try-again") from None
    answer = read_object(body)
    if status == 200:
        return answer
    error_code = answer.get("error")
    code = error_code if isinstance(error_code, str) and _ERROR.fullmatch(error_code) else f"HTTP {status}"
    raise OAuthRefusal(code, described(answer.get("error_description"), form))


def https(address: str, what: str) -> SplitResult:
    """The parts of an https address, which `what` is the name of. Raises `Problem` (bad-config) if it is none."""
    try:
        url = urlsplit(address)
        if url.scheme == "https" and url.hostname and url.port != 0:  # a port that is none raises ValueError
            return url
    except ValueError:
        pass
    raise Problem(f"the {what} {address} is no https address", "bad-config")


def described(text: object, form: Mapping[str, str]) -> str:
    """What the provider says of a refusal, as it may be shown: one line, and nothing secret of the `form` that we sent."""
    if not isinstance(text, str):
        return ""
    for secret in filter(None, (form.get(name) for name in SECRETS)):
        text = text.replace(secret, HIDDEN)
    shown = " ".join("".join(char if char.isprintable() else " " for char in text[: 4 * DESCRIBED]).split())
    return f': "{shown[:DESCRIBED]}"' if shown else ""


def read_object(body: bytes) -> dict[str, object]:
    """The JSON object in `body`; an empty one where there is none."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
