"""The first token: somebody consents in a browser, and a refresh token comes back, by one of two ways.

With a device code (RFC 8628) the browser may be anywhere: a page asks for a short code, which we show, and we ask the token endpoint again
and again until somebody has consented there. With a redirect (RFC 8252) the browser runs on this machine, and the provider sends it back
to a port of the loopback interface, with a code that we exchange for tokens. That code is of no use to others who see it, for only we know
the verifier that its challenge was made of (RFC 7636), and one that we have not asked for is not taken: it lacks our `state`.

Used by `mailer.operate.oauth`. Blocking. Nothing secret is in a text, whatever fails.
"""

from __future__ import annotations

import hashlib
import hmac
import queue
import secrets
import threading
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, NamedTuple, Self
from urllib.parse import parse_qs, urlencode, urlsplit

from mailer.mail.problem import Problem, from_os

from .oauth_endpoint import OAuthRefusal, ask, described, https

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

INTERVAL = 5.0  # seconds between two questions where the provider does not say, RFC 8628 §3.2
SLOWER = 5.0  # seconds more after each slow_down, RFC 8628 §3.5
LEAST = 1.0  # seconds between two questions, whatever it says
LONGEST = 3600.0  # seconds that a code is waited for, whatever it says
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
LOOPBACK = "127.0.0.1"
QUIET = 10.0  # seconds that a browser may say nothing on a connection

AGAIN = "; run the command again"


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """The client that the provider knows us as. `client_secret` and `ca_file` may be empty: none, and the system's authorities."""

    token_endpoint: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    scope: str = ""
    ca_file: str = ""

    @property
    def where(self) -> str:
        """How errors call the provider."""
        return f"the token endpoint {urlsplit(self.token_endpoint).hostname}"

    def identity(self, *, secret: bool = True) -> dict[str, str]:
        """What a form says of us."""
        with_secret = {"client_secret": self.client_secret} if secret and self.client_secret else {}
        return {"client_id": self.client_id} | with_secret

    def refresh_token(self, form: Mapping[str, str]) -> str:
        """The refresh token that the token endpoint gives for `form`. Raises `OAuthRefusal` and `Problem`."""
        answer = ask(self.token_endpoint, {**form, **self.identity()}, self.ca_file, "token endpoint")
        token = answer.get("refresh_token")
        if isinstance(token, str) and token.isascii() and token.isprintable() and token:
            return token
        raise Problem(
            f"{self.where} gave no refresh token: ask for a scope that allows one, which many call offline_access, or take the consent "
            "of before back at the provider; then run the command again",
            "bad-config",
        )


def refusal(where: str, refused: OAuthRefusal) -> Problem:
    """What the provider refuses while somebody consents, in words that say what to do."""
    said, code = refused.said, {"authorization_declined": "access_denied"}.get(refused.code, refused.code)  # Microsoft's word
    texts = {
        "access_denied": f"access was refused in the browser (access_denied){said}; allow it there, or ask who administers the account",
        "expired_token": f"nobody consented before the code expired (expired_token){said}{AGAIN}",
        "invalid_grant": f"the code was not accepted (invalid_grant){said}{AGAIN}",
        "unsupported_grant_type": f"{where} knows no device codes (unsupported_grant_type){said}; use the redirect",
    }
    if text := texts.get(code):
        return Problem(text, "no-permission" if code == "access_denied" else "bad-config" if "use the" in text else "unavailable")
    if code in ("invalid_client", "unauthorized_client"):
        hint = "check its id and its secret, and whether it may log in this way"
        return Problem(f"{where}: the client is not accepted ({code}){said}; {hint}", "bad-config")
    return refused.problem(where)


# The device code


class DeviceCode(NamedTuple):
    """What somebody has to type, and where: `complete` is an address that has the code in it, if there is one; `code` is secret.

    It is good for `seconds`; the token endpoint is asked every `interval` seconds.
    """

    user_code: str
    uri: str
    complete: str
    code: str
    seconds: float
    interval: float


def device_code(client: OAuthClient, endpoint: str) -> DeviceCode:
    """Begin, at the device endpoint `endpoint`. Raises `Problem`."""
    where = f"the device endpoint {https(endpoint, 'device endpoint').hostname}"
    form = client.identity(secret=False) | ({"scope": client.scope} if client.scope else {})
    try:
        answer = ask(endpoint, form, client.ca_file, "device endpoint")
    except OAuthRefusal as refused:
        raise refusal(where, refused) from None
    code, user_code = answer.get("device_code"), answer.get("user_code")
    uri = answer.get("verification_uri", answer.get("verification_url"))  # the second is Google's, from before the standard
    complete = answer.get("verification_uri_complete")
    seconds, interval = answer.get("expires_in"), answer.get("interval", INTERVAL)
    if not (isinstance(code, str) and code and isinstance(user_code, str) and user_code.strip() and isinstance(uri, str) and _is_web(uri)):
        raise Problem(f"{where} gave an answer without a code; is it the right address?", "unavailable")
    seconds = float(seconds) if isinstance(seconds, int | float) else LONGEST
    interval = float(interval) if isinstance(interval, int | float) else INTERVAL
    complete = complete if isinstance(complete, str) and _is_web(complete) else ""
    return DeviceCode(user_code, uri, complete, code, min(max(seconds, 0.0), LONGEST), min(max(interval, LEAST), LONGEST))


def token_of(
    client: OAuthClient,
    given: DeviceCode,
    *,
    sleep: Callable[[float], object] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> str:
    """Wait until somebody has consented; returns the refresh token. RFC 8628 §3.5

    A provider that cannot be asked for a moment is asked again, more and more slowly. Raises `Problem`.
    """
    until, interval = clock() + given.seconds, given.interval
    while clock() + interval <= until:
        sleep(interval)
        try:
            return client.refresh_token({"grant_type": DEVICE, "device_code": given.code})
        except OAuthRefusal as refused:
            if refused.code == "slow_down":
                interval += SLOWER
            elif refused.code.startswith("HTTP 5"):
                interval *= 2
            elif refused.code != "authorization_pending":
                raise refusal(client.where, refused) from None
        except Problem as problem:
            if problem.kind != "try-again":
                raise
            interval *= 2
    raise refusal(client.where, OAuthRefusal("expired_token", ""))


def _is_web(uri: str) -> bool:
    return uri.isascii() and uri.isprintable() and " " not in uri and uri.startswith(("https://", "http://"))


# The redirect


class Redirect:
    """A port of the loopback interface that the browser comes back to. Use it with ``with``; `url` is to be opened in a browser.

    `host` is what the port's machine is called in the redirect, for some providers know it as localhost; `port` 0 is a free one;
    `extra` are parameters that the provider wants besides. Raises `Problem` where the port is taken, or `endpoint` no https address.
    """

    def __init__(
        self, client: OAuthClient, endpoint: str, *, host: str = LOOPBACK, port: int = 0, extra: Sequence[tuple[str, str]] = ()
    ) -> None:
        https(endpoint, "authorization endpoint")
        self._client = client
        self._state = secrets.token_urlsafe(32)
        self._verifier = secrets.token_urlsafe(48)  # 64 characters, RFC 7636 §4.1
        self._come: queue.Queue[dict[str, str]] = queue.Queue()
        try:
            self._server = ThreadingHTTPServer((LOOPBACK, port), _handler(self._comes))
        except OSError as error:
            raise from_os("cannot listen for the browser", f"{LOOPBACK}:{port}", error) from None
        self._server.daemon_threads = True
        self.port: int = self._server.server_port
        self.back = f"http://{host}:{self.port}/"
        challenge = urlsafe_b64encode(hashlib.sha256(self._verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": client.client_id,
            "redirect_uri": self.back,
            **({"scope": client.scope} if client.scope else {}),
            "state": self._state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **dict(extra),
        }
        self.url = f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def token(self, seconds: float) -> str:
        """Wait so many seconds for the browser; returns the refresh token. Raises `Problem`."""
        try:
            come = self._come.get(timeout=seconds)
        except queue.Empty:
            raise Problem(
                f"nobody consented within {seconds:.0f} seconds; run the command again, and open the address in a browser on this machine",
                "unavailable",
            ) from None
        if "code" not in come:
            refused = OAuthRefusal(come["error"], described(come.get("error_description"), {}))
            raise refusal("the provider", refused)
        form = {
            "grant_type": "authorization_code",
            "code": come["code"],
            "redirect_uri": self.back,
            "code_verifier": self._verifier,
        }
        try:
            return self._client.refresh_token(form)
        except OAuthRefusal as refused:
            raise refusal(self._client.where, refused) from None

    def _comes(self, said: dict[str, str]) -> bool:
        """Take what a browser brings, if it brings what we sent it for."""
        if not hmac.compare_digest(said.get("state", "").encode(), self._state.encode()):
            return False
        error = said.get("error", "")
        if "code" not in said and not (error and error.isascii() and error.replace("_", "").isalnum() and len(error) <= 40):
            return False
        self._come.put(said)
        return True


PAGE = """\
<!doctype html><html lang="en"><meta charset="utf-8"><title>mailer</title>
<body style="font-family: sans-serif; margin: 4em auto; max-width: 34em"><h1>mailer</h1><p>{}</p></body></html>
"""


def _handler(comes: Callable[[dict[str, str]], bool]) -> type[BaseHTTPRequestHandler]:
    """What answers the browser; `comes` is told what stands behind the question mark, and says whether it was meant for us."""

    class Handler(BaseHTTPRequestHandler):
        timeout = QUIET
        server_version = "mailer"
        sys_version = ""

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            said = {name: values[0] for name, values in parse_qs(url.query, max_num_fields=20).items()} if url.path == "/" else {}
            if not said:
                self._answer(404, "There is nothing here.")
            elif not comes(said):
                self._answer(400, "This is not what was waited for. Begin again at the terminal.")
            else:
                text = "You can close this window, and go on at the terminal."
                self._answer(200, text if "code" in said else "The provider refused. The terminal says why.")

        def _answer(self, status: int, text: str) -> None:
            body = PAGE.format(text).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
            self.send_header("Referrer-Policy", "no-referrer")
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing: the address has the code in it."""

    return Handler
