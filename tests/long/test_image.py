"""The image, built by buildah from Debian's packages and the wheel, run as compose.yml runs it: read-only, as nobody, without privileges.

Needed are buildah and mmdebstrap; no image is fetched.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailer.sink import SinkThread
from tests.fakes.processes import wait_until
from tests.packaging.bare import bare
from tests.packaging.machine import Throwaway

pytestmark = [pytest.mark.peer("buildah", "mmdebstrap", "unshare", root=True), pytest.mark.timeout(900)]

TREE = Path(__file__).parents[2]
CONFIGURATION = """\
[submission]
default_domain = "example.com"
[intake]
enabled = true
[relay.out]
host = "127.0.0.1"
port = {port}
tls = "none"
[[route]]
match = "*"
via = ["relay:out"]
"""


class Store:
    """Images and containers of buildah, below a directory."""

    def __init__(self, home: Path) -> None:
        self.options = ("--root", str(home / "store"), "--runroot", str(home / "run"), "--storage-driver", "vfs")

    def __call__(self, *words: str | Path) -> str:
        """What `buildah words` prints."""
        done = subprocess.run(["buildah", *self.options, *words], capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout.strip()


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Path]]:
    """The store with ``localhost/mailer``, and where its root file system is mounted."""
    home = tmp_path_factory.mktemp("image")
    base = bare("python3", "python3-venv", "ca-certificates")
    subprocess.run(["/usr/bin/python3", "-m", "venv", home / "venv"], check=True)
    subprocess.run(
        [home / "venv/bin/pip", "wheel", "-q", "-w", home / "wheels", f"{TREE}[metrics,speed,web,amqp,otel,argon2]"],
        check=True,
        capture_output=True,
    )
    store = Store(home)
    container = store("from", "scratch")
    store("add", container, base, "/")
    store("commit", "-q", container, "localhost/base")
    arguments = ("--build-arg", "BASE=localhost/base", "--build-arg", "PIP_OPTIONS=--no-index")
    store(
        "bud",
        "--isolation",
        "chroot",
        "--format",
        "docker",
        *arguments,
        "-t",
        "localhost/mailer",
        "-f",
        TREE / "packaging/Containerfile",
        home / "wheels",
    )
    container = store("from", "localhost/mailer")
    yield store, Path(store("mount", container))
    store("umount", "--all")
    store("rm", "--all")
    shutil.rmtree(home, ignore_errors=True)


def test_what_the_image_says_of_itself(image: tuple[Store, Path]) -> None:
    """Who runs in it, what is started, what is looked at, and where the queue is."""
    config = json.loads(image[0]("inspect", "--type", "image", "localhost/mailer"))["Docker"]["config"]
    assert config["User"] == "65532:65532"
    assert (config["Entrypoint"], config["Cmd"]) == (["mailer"], ["run"])
    assert config["Healthcheck"]["Test"][:3] == ["CMD", "sh", "-c"]
    assert list(config["Volumes"]) == ["/var/spool/mailer"]


def test_it_sends_with_its_root_read_only(image: tuple[Store, Path], tmp_path: Path) -> None:
    """For the user it runs as, and for another one, who has the queue and the configuration; it is healthy while it runs, and only then."""
    store, root = image
    config = json.loads(store("inspect", "--type", "image", "localhost/mailer"))["Docker"]["config"]
    env = dict(line.split("=", 1) for line in config["Env"])
    with Throwaway(tmp_path, root) as machine, SinkThread() as sink:
        machine.write("etc/mailer/config.toml", CONFIGURATION.format(port=sink.port))
        inside = ["nsenter", "-t", machine.pid, "-m", "mount"]
        there = str(machine.place / "root")
        volume = ["-t", "tmpfs", "-o", "mode=711,uid=65532,gid=65532", "queue", f"{there}/var/spool/mailer"]
        subprocess.run([*inside, *volume], check=True)
        subprocess.run([*inside, "-o", "remount,ro", there], check=True)
        user, other = {"user": "65532", "env": env}, {"user": "1000", "env": env}
        assert "Read-only file system" in machine.run("touch", "/etc/here", code=1)
        check = config["Healthcheck"]["Test"][1:]
        with machine.start(*config["Entrypoint"], *config["Cmd"], **user) as daemon:
            wait_until("the daemon is ready", lambda: '"what":"ready"' in daemon.said or not daemon.running)
            assert daemon.running, daemon.said
            for who in (user, other):
                machine.run("mailer", "send", "--to", "ann@example.net", "--subject", "from a container", "--text", "x", **who)
            machine.run("/usr/sbin/sendmail", "ben@example.net", input="Subject: sendmail\n\nx\n", **user)
            wait_until("three messages arrive", lambda: sink.count == 3)
            machine.run(*check, **user)
            assert json.loads(machine.run("mailer", "api", "openapi", **user))["openapi"]  # the extra web is there
            machine.run("/usr/lib/mailer/bin/python", "-c", "import aio_pika", **user)
        assert "nobody" not in daemon.said
