"""An OAuth authorization server on this machine: it gives out device codes and codes for redirects, and takes no answer that is not right.

Tokens, device codes and redirects are checked as RFC 6749, 7636 and 8628 say; what people do in its pages is done by the tests:
`consent` and `refuse` for a device code, `browse` for a redirect.
"""

from __future__ import annotations

import hashlib
import http.client
import secrets
import threading
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from .forms import FormServer

CLIENT = "mailer-123"
SCOPE = "mail.send offline"

Answer = tuple[int, dict[str, Any]]


class AuthorizationServer(FormServer):
    """One that knows the client `CLIENT`, with `secret` if it has one. Use it with ``with``.

    `asked` are all forms that came, with the path. `first` are errors that the token endpoint says before
    anything else, one each time. `expires` and `interval` are told with a device code. `access` is the access
    token that a refresh token is good for; there are none of those where `refreshing` is False.
    """

    def __init__(self, directory: Path, secret: str = "") -> None:
        self.secret = secret
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.first: list[Answer] = []
        self.expires, self.interval = 600.0, 1.0
        self.refreshing = True
        self.access = "access-one"
        self._changed = threading.Condition()
        self.devices: dict[str, tuple[str, str]] = {}  # device code → user code, state
        self.codes: dict[str, dict[str, str]] = {}  # code → what was asked for with it
        self.tokens: list[str] = []
        super().__init__(directory, self.answer)

    @property
    def settings(self) -> str:
        """What the section of a relay says of it, the places of the files apart."""
        return (
            f'oauth_endpoint = "{self.base}/token"\noauth_client_id = "{CLIENT}"\noauth_scope = "{SCOPE}"\n'
            f'oauth_device_endpoint = "{self.base}/device"\noauth_authorization_endpoint = "{self.base}/authorize"\n'
        )

    @property
    def user_code(self) -> str:
        """The code that somebody is to type, the last one."""
        return [user_code for user_code, _ in self.devices.values()][-1]

    # What people do

    def consent(self, user_code: str, state: str = "consented") -> None:
        """Somebody types the code and agrees; with another `state`, does not."""
        with self._changed:
            code = next(code for code, (shown, _) in self.devices.items() if shown == user_code)
            self.devices[code] = user_code, state

    def refuse(self, user_code: str) -> None:
        """Somebody types the code and disagrees."""
        self.consent(user_code, "access_denied")

    def browse(self, url: str, **instead: str) -> tuple[int, str]:
        """A browser opens `url`, somebody agrees, and it is sent back; what the page there says. `instead` replaces what is brought."""
        where = urlsplit(url)
        assert f"{where.scheme}://{where.netloc}" == self.base
        asked = {name: values[0] for name, values in parse_qs(where.query).items()}
        assert (where.path, asked["response_type"], asked["client_id"]) == ("/authorize", "code", CLIENT)
        assert (asked["code_challenge_method"], len(asked["code_challenge"])) == ("S256", 43)
        back = urlsplit(asked["redirect_uri"])
        assert (back.scheme, back.hostname) == ("http", "127.0.0.1")
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        return get(back.port or 0, {"code": code, "state": asked["state"]} | instead)

    # What the program asks

    def answer(self, path: str, form: dict[str, str]) -> Answer:
        """What is said to a form."""
        with self._changed:
            self.asked.append((path, form))
            if form.get("client_id") != CLIENT:
                return 401, {"error": "invalid_client", "error_description": f"no client {form.get('client_id')}"}
            if path == "/device":
                return self._device()
            if self.first:
                return self.first.pop(0)
            if form.get("client_secret", "") != self.secret:
                return 401, {"error": "invalid_client"}
            grants = {
                "urn:ietf:params:oauth:grant-type:device_code": self._by_device,
                "authorization_code": self._by_code,
                "refresh_token": self._by_refresh,
            }
            grant = grants.get(form.get("grant_type", ""))
            return grant(form) if grant else (400, {"error": "unsupported_grant_type"})

    def _device(self) -> Answer:
        code, user_code = secrets.token_urlsafe(16), f"WDJB-{secrets.randbelow(9000) + 1000}"
        self.devices[code] = user_code, "authorization_pending"
        return 200, {
            "device_code": code,
            "user_code": user_code,
            "verification_uri": f"{self.base}/activate",
            "expires_in": self.expires,
            "interval": self.interval,
        }

    def _by_device(self, form: dict[str, str]) -> Answer:
        _, state = self.devices.get(form["device_code"], ("", "expired_token"))
        return self._given() if state == "consented" else (400, {"error": state, "error_description": f"of {form['device_code']}"})

    def _by_code(self, form: dict[str, str]) -> Answer:
        asked = self.codes.pop(form["code"], None)  # good once, RFC 6749 §4.1.2
        digest = urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=").decode()
        if asked is None or asked["redirect_uri"] != form.get("redirect_uri") or asked["code_challenge"] != digest:
            return 400, {"error": "invalid_grant"}
        return self._given()

    def _by_refresh(self, form: dict[str, str]) -> Answer:
        if form["refresh_token"] not in self.tokens:
            return 400, {"error": "invalid_grant"}
        return 200, {"access_token": self.access, "expires_in": 3600, "token_type": "Bearer"}

    def _given(self) -> Answer:
        self.tokens.append(f"refresh-{secrets.token_urlsafe(16)}")
        more = {"refresh_token": self.tokens[-1]} if self.refreshing else {}
        return 200, {"access_token": "access-at-first", "expires_in": 3600, "token_type": "Bearer", **more}


def get(port: int, query: dict[str, str], path: str = "/") -> tuple[int, str]:
    """What a server of this machine says to a browser."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", f"{path}?{urlencode(query)}")
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()
