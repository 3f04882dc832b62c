"""Programs of this machine that mail goes through besides ours: sendmail, the service, and what we stand on. Used by `visit`."""

from __future__ import annotations

import os
import platform
import shutil
import ssl
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from mailer.check.finding import FAIL, PASS, WARN, Finding
from mailer.config.secret import owner_of
from mailer.operate.machine import UNIT, Sendmail, SystemService, run

if TYPE_CHECKING:
    from collections.abc import Iterator

WHERE = ("/usr/sbin", "/usr/lib", "/usr/local/sbin")
"""Where programs look for sendmail besides the PATH, in this order."""
PATIENCE = 5.0  # seconds for the service manager
WANTED = ("User", "LoadState", "ActiveState", "SubState", "UnitFileState", "NeedDaemonReload", "Result", "FragmentPath")
NEEDS = ("dnspython", "cryptography", "click", "rich", "filelock")


def sendmail(path: str | None = None) -> Iterator[Finding]:
    """Whether the sendmail that other programs start is ours; `path` is a PATH."""
    places = os.pathsep.join([os.environ.get("PATH", os.defpath) if path is None else path, *(WHERE if path is None else ())])
    found = shutil.which("sendmail", path=places)
    if found is None:
        text = "there is none, so that cron and other programs can send no mail by it"
        yield Finding("sendmail", "on the PATH", WARN, text, "as root: mailer config install-sendmail --prefix /usr/local (or /usr)")
        return
    prefix = Path(found).parent.parent
    if Sendmail(prefix, "", ()).ours or _starts_us(found):
        yield Finding("sendmail", found, PASS, "is ours")
        return
    real = os.path.realpath(found)
    text = f"is not ours{f' but {real}' if real != found else ''}: what cron and other programs send goes another way"
    yield Finding(
        "sendmail", found, WARN, text, "remove the package that has it; then as root: mailer config install-sendmail --prefix /usr"
    )


def _starts_us(path: str) -> bool:
    """Whether what is called sendmail is, or leads to, our program."""
    if os.path.basename(os.path.realpath(path)) == "mailer":
        return True
    try:
        with open(path, "rb") as file:
            return b"from mailer.cli import" in file.read(1000)
    except OSError:
        return False


def unit(*, running: bool, spool: str = "", root: str = "/") -> Iterator[Finding]:
    """The service of systemd, where that runs, on the machine below `root`; `spool` is the one that it serves, where that is known."""
    if not SystemService((), "", root=root).possible:
        text = "systemd does not run here; whatever starts services has to start `mailer run`"
        yield Finding("service", "none", PASS, text)
        return
    known = _shown()
    if known.get("LoadState") in (None, "not-found"):
        worth, remedy = (PASS, "") if running else (WARN, "mailer setup offers it; mailer-run(8) has the unit")
        yield Finding("service", UNIT, worth, "there is no unit, so no daemon is started at boot", remedy)
        return
    trouble, user = False, known.get("User") or "root"
    if spool and os.path.isdir(spool) and (owner := owner_of(spool).name) != user:
        trouble = True
        text = f"runs as {user}, and the spool {spool} belongs to {owner}"
        remedy = f"while it does not run: chown -R --no-dereference {user}: {spool}"
        yield Finding("service", UNIT, FAIL, text, remedy)
    for key, wrong, text, remedy, worth in (
        ("ActiveState", "failed", "has failed ({Result})", "journalctl -u mailer -n 50 says why; then: systemctl restart mailer", FAIL),
        (
            "NeedDaemonReload",
            "yes",
            "was changed, and systemd has not read it",
            "systemctl daemon-reload && systemctl restart mailer",
            WARN,
        ),
        ("UnitFileState", "disabled", "is not started at boot", "systemctl enable mailer", WARN),
        ("UnitFileState", "masked", "is masked, so that nothing can start it", "systemctl unmask mailer", WARN),
    ):
        if known.get(key) == wrong:
            trouble = True
            yield Finding("service", UNIT, worth, text.format(**known), remedy)
    if not trouble:
        state = f"{known.get('ActiveState', 'unknown')} ({known.get('SubState', 'unknown')})"
        yield Finding("service", UNIT, PASS, f"{state}, {known.get('UnitFileState') or 'not installed'} at boot")


def _shown() -> dict[str, str]:
    """What systemd says of the unit. Raises `Problem` (unavailable)."""
    said = run("systemctl", "show", UNIT, f"--property={','.join(WANTED)}", patience=PATIENCE)
    return dict(line.split("=", 1) for line in said.splitlines() if "=" in line)


def versions(version: str) -> Iterator[Finding]:
    """What runs here beside our `version`, for whoever reads a report about it; and packages that are missing or of another environment."""
    found, absent = [], []
    for name in NEEDS:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            absent.append(name)
    text = f"Python {platform.python_version()}, {' '.join(ssl.OPENSSL_VERSION.split()[:2])}, {', '.join(found)}"
    if absent:
        yield Finding("versions", f"mailer {version}", FAIL, f"{', '.join(absent)} is missing; {text}", "install mailer-mta anew, whole")
    else:
        yield Finding("versions", f"mailer {version}", PASS, text)
