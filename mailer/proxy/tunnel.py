"""CONNECT of HTTP: one question, and the octets of the host behind its answer."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from .place import ProxyTrouble, host_octets

if TYPE_CHECKING:
    from .place import Talk


def tunnel(host: str, port: int, login: tuple[str, str] | None) -> Talk:
    """RFC 9110 §9.3.6, to where octets go through. Raises `ProxyTrouble`."""
    bare = host.strip("[]")
    target = (f"[{bare}]" if ":" in bare else host_octets(bare).decode()) + f":{port}"
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    secrets: list[str] = []
    if login:
        secrets = [b64encode(":".join(login).encode()).decode(), login[1]]
        lines.append(f"Proxy-Authorization: Basic {secrets[0]}")  # RFC 7617 §2
    answer = yield ("\r\n".join(lines) + "\r\n\r\n").encode(), 0
    first = answer.split(b"\r\n", 1)[0].decode("ascii", "replace")
    version, _, rest = first.partition(" ")
    code = rest[:3]
    if not version.startswith("HTTP/1.") or not code.isdigit():
        raise ProxyTrouble("does not speak HTTP")
    if code[0] != "2":
        for secret in filter(None, secrets):  # one that repeats what it was told
            rest = rest.replace(secret, "***")
        said = "".join(char for char in rest if char.isprintable())[:100].strip()
        raise ProxyTrouble(f"refused: {said}", ours=code == "407")
