"""Secrets that sing: each one of a machine is looked for in all that it writes, shows and sends while mail goes through it."""

from __future__ import annotations

import base64
import http.client
import json
import os
import urllib.request
from pathlib import Path

import pytest

from mailer.accounts.api import divided
from tests.fakes.collector import collecting
from tests.fakes.processes import free_port, wait_until
from tests.hooks.receiver import Receiver
from tests.journey.world import Sink, World

pytestmark = pytest.mark.slow

PASSWORD, GUESS = "canary-of-the-relay", "mlr_canary1canary1canary1canary1canary1canary1canary1canary1"


def forms(secret: str) -> set[bytes]:
    """A secret as it is, and as it would stand in what is encoded: in base64 at each of the three places where it can begin."""
    plain = secret.encode()
    return {plain, plain.lower(), *(base64.b64encode(bytes(before) + plain)[4 if before else 0 : -4] for before in range(3))}


def test_a_secret_is_recognised_in_what_is_encoded() -> None:
    """Wherever it begins, and whatever follows: else the test below would hear nothing."""
    for before in range(6):
        assert any(form in base64.b64encode(bytes(before) + PASSWORD.encode() + b"\r\n") for form in forms(PASSWORD))


def processes(pid: int) -> bytes:
    """What ps(1) shows of a process and its children: command lines, and environments to whoever may see those."""
    found = b""
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found += processes(int(child))
    return found + b"".join(Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ", "comm"))


def equipped(world: World, endpoint: str, hook: int) -> tuple[Sink, int, list[int]]:
    """A relay that wants TLS and a login, a door, traces, figures and a webhook; the sink, the port of the door, and those of figures."""
    (secret := world.home / "relay.secret").write_text(f"{PASSWORD}\n")
    secret.chmod(0o600)
    sink = world.sink("--tls", "--user", "me", "--password-file", str(secret))
    certificate = sink.events("listening", 1)[0]["certificate"]
    door, *figures = (free_port() for _ in range(3))
    world.config.write_text(
        f'[mailer]\nhostname = "here.example"\nspool = "{world.spool}"\n[log]\nlevel = "debug"\n[delivery]\nallow_private = true\n'
        f'[relay.out]\nhost = "127.0.0.1"\nport = {sink.port}\ntls = "starttls"\nserver_name = "localhost"\nca_file = "{certificate}"\n'
        f'username = "me"\npassword_file = "{secret}"\n[[route]]\nmatch = "*"\nvia = ["relay:out"]\n'
        f'[[listen]]\nkind = "web"\naddress = "127.0.0.1:{door}"\n[api]\nmetrics = "127.0.0.1:{figures[0]}"\n'
        f'[metrics]\nlisten = "127.0.0.1:{figures[1]}"\n[trace]\nendpoint = "{endpoint}"\nsample = 1.0\n[bounce]\nenabled = false\n'
        f'[[webhook]]\nname = "shop"\nurl = "http://127.0.0.1:{hook}/"\nsecret_file = "{world.home}/shop.secret"\nprivate = true\n'
    )
    return sink, door, figures


def post(port: int, key: str, to: str) -> tuple[int, bytes]:
    """Hand a mail in by HTTP."""
    caller = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        mail = {"from_address": "shop@here.example", "to_addresses": [to], "subject": "an order", "body_plain": "x"}
        caller.request("POST", "/send_email", json.dumps(mail), {"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
        answer = caller.getresponse()
        return answer.status, answer.read()
    finally:
        caller.close()


def test_no_secret_is_written_shown_or_sent(world: World) -> None:
    """Of keys, right and wrong, a relay's password and a webhook's secret: in logs, figures, traces, posts, mail, ps, the spool."""
    seen: dict[str, bytes] = {}
    with collecting() as collector, Receiver() as receiver:
        sink, door, figures = equipped(world, collector.endpoint, receiver.port)
        hook = json.loads(world.mailer("hooks", "rotate", "shop", "--json").out)["secret"]
        receiver.knows(hook)
        key = json.loads(world.mailer("api", "key", "add", "shop", "--scope", "send,status", "--json").out)["key"]
        daemon = world.daemon()
        wait_until("the door is open", lambda: daemon.said.count('"what":"ready"') >= 3)
        status, body = post(door, key, "you@example.net")
        assert status == 202, body
        id = json.loads(body)["id"]
        assert post(door, GUESS, "you@example.net")[0] == 401
        world.becomes(id, "sent")
        receiver.until(lambda: "delivered" in [request.data["type"] for request in [*receiver.requests]])
        collector.wait(collector.roots)
        for name, port in zip(("figures of the door", "figures of the daemon"), figures, strict=True):
            seen[name] = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60).read()
        seen["ps"] = processes(daemon.pid)
        assert b"mailer" in seen["ps"]
        seen["mail"] = b"".join(kept.content for kept in sink.kept)
        seen["traces"] = repr((collector.spans, collector.resources)).encode()
        seen["posts"] = b"".join(request.body + repr(request).encode() for request in receiver.requests)
        for words in (("status", id), ("explain", id), ("status",), ("config", "show"), ("hooks", "list"), ("api", "key", "list")):
            done = world.mailer(*words, "--json")
            seen[" ".join(words[:2])] = done.out.encode() + done.err.encode()
        assert daemon.stop() == 0
        seen["log"], seen["log of the relay"] = daemon.said.encode(), sink.program.said.encode()
    for place, _, names in os.walk(world.spool):
        for path in (Path(place, name) for name in names):
            if path.is_file():  # and no socket
                seen[f"spool: {path.name}"] = path.read_bytes()
    assert all(seen[name] for name in ("log", "mail", "traces", "posts", "figures of the door", "explain " + id))
    for secret in (key, divided(key)[1], GUESS, PASSWORD, hook, hook.removeprefix("whsec_")):
        assert len(secret) > 15
        found = [name for name, text in seen.items() if any(form in text for form in forms(secret))]
        assert not found, f"{secret} stands in {found}"
