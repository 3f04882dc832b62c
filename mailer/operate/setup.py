"""A configuration that is set up: its files written beside their places, tried, and put there only when all is well.

`SetupDraft` has the files. Until `put`, nothing that was there is touched, and at its end, however that comes, what was not put is gone.
`look` and `trial` ask our own program, which does what it will do later: `mailer probe` with the new configuration, and a mail to oneself.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from mailer.config.file import config_of
from mailer.config.secret import keeper_of
from mailer.io.durable import forget, sync_directory, write_new
from mailer.mail.problem import Problem, from_os

from .oauth import refresh_token
from .private import check_place, prepared, scratch_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mailer.config import Config
    from mailer.config.secret import FileOwner

    from .oauth import Invitation
    from .own import OwnProgram
    from .plan import SetupPlan

OLD = ".old"  # what the configuration of before is called from then on
KEPT = 78  # the exit code of `mailer reload` where the daemon refuses the new configuration
ANOTHER = 75  # the exit code of `mailer run --once` where a daemon runs already
PENDING = ("queued", "sending")
PATIENCE = 60.0  # seconds for a daemon that runs already
TELLING = 5  # questions until the reason of an end has to be known
PAUSE = 0.2  # seconds between two questions to it


class SetupDraft:
    """The files of a `plan`, beside their places. Use it with ``with``; `config` is what stands in them."""

    def __init__(self, plan: SetupPlan) -> None:
        self.plan = plan
        self.path = scratch_of(plan.path)
        self._owner = keeper_of(plan.spool)
        self._puts: dict[str, Callable[[], None]] = {}
        self._made: list[str] = []  # the directories that were not there, the deepest first
        self._state = ""  # where access tokens are kept while all is tried, for the daemon's user
        self.config: Config

    def __enter__(self) -> Self:
        self._made = [*_missing(os.path.dirname(self.plan.path))]
        try:
            check_place(self.plan.path)
            if self.plan.tokens:
                self._state = tempfile.mkdtemp(prefix="mailer-")
                self._owner.give(self._state)
            text = replace(self.plan, state=self._state).document(self._moved)
            self.config = config_of(self.plan.path, text.encode())
            for path, secret in self.plan.secrets.items():
                self._puts[path] = prepared(path, secret, self._owner)
            _write(self.path, text)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove what was not put."""
        for path in (self.path, *map(scratch_of, (*self._puts, self.plan.beside("refresh")))):
            forget(path)
        if self._state:
            shutil.rmtree(self._state, ignore_errors=True)
        for directory in self._made:
            with suppress(OSError):  # there is something in it
                os.rmdir(directory)

    def _moved(self, path: str) -> str:
        """Where a file is as long as nothing is put."""
        return path if self._state and path.startswith(self._state) else scratch_of(path)

    def consent(self, invite: Callable[[Invitation], object], port: int, seconds: int) -> None:
        """Let somebody consent to the tokens of the relay, where that is wanted. Raises `Problem`."""
        tokens = self.plan.tokens
        if tokens and not tokens.refresh_token_file:
            path = self.plan.beside("refresh")
            token = refresh_token(self.config.relays[self.plan.name], tokens.way, invite, port, seconds)
            self._puts[path] = prepared(path, token, self._owner)

    def put(self, owner: FileOwner) -> Iterator[str]:
        """Put all files where they belong, the secrets for `owner`; says of each what was done. The configuration is the last one.

        One of before is kept, with `OLD` behind its name. Raises `Problem`.
        """
        for path, put in self._puts.items():
            owner.give(scratch_of(path))
            put()
            yield f"wrote {path}, which only {owner.name} can read"
        target = os.path.realpath(self.plan.path)
        new = f"{self.path}.2"
        try:
            forget(new)
            _write(new, self.plan.document())
            if os.path.exists(target):
                _keep(target)
                yield f"kept the configuration of before as {target}{OLD}"
            os.rename(new, target)
            sync_directory(os.path.dirname(target))
        except OSError as error:
            raise from_os("cannot write the configuration", self.plan.path, error) from None
        finally:
            forget(new)
        yield f"wrote {self.plan.path}"


def _missing(directory: str) -> Iterator[str]:
    """The directory, and each above it, that is not there: the deepest first."""
    while directory and not os.path.isdir(directory):
        yield directory
        directory = os.path.dirname(directory)


def _write(path: str, text: str) -> None:
    """Make a configuration: every user who sends mail reads it."""
    try:
        forget(path)
        write_new(path, [text.encode()], 0o644)
    except OSError as error:
        raise from_os("cannot write the configuration", path, error) from None


def _keep(target: str) -> None:
    forget(target + OLD)
    os.link(target, target + OLD)  # so that there is one at every moment


class Looked(NamedTuple):
    """What a look at the relay showed: a few words for a person, the certificate's SHA-256, what is wrong, and what may mend it."""

    words: str
    fingerprint: str = ""
    untrusted: bool = False
    problem: Problem | None = None
    remedy: str = ""


REMEDIES = {
    "dns": "is the name right, as the provider writes it, and does the DNS answer here? `mailer doctor` looks at that",
    "connect": "is the name right, and the port? A firewall may let out one of 587 (starttls) and 465 (implicit) only",
    "refused": "nobody listens there: is the port right, and does the server run?",
    "starttls": "is the encryption right for the port? 587 begins with starttls, 465 is implicit from the first byte",
    "auth": "are name and password right? Some providers want a password made for programs, or a token (--oauth)",
    "mail": "is the address one that this login may send from?",
    "rcpt": "is the address one that this login may send from?",
}
"""What to look at, by the phase in which it ended; or where a machine is there, and nobody at that port."""


UNREACHED = {"connect": "not reached", "refused": "not reached", "starttls": "not encrypted, as TLS failed"}
"""What there is to say in place of the encryption, by the phase in which it ended."""

UNTRUSTED = "if it is the right server all the same: its authority with --ca-file, or its certificate with --fingerprint"

KINDS: dict[int, Any] = {64: "usage", 75: "try-again", 77: "no-permission", 78: "bad-config"}
"""What the exit codes of `mailer probe` say of who has to act; all others: the relay, or the way to it."""


def look(program: OwnProgram, plan: SetupPlan) -> Looked:
    """Ask the relay whether it would take mail, with the configuration of `program`. Raises `Problem` where nobody can ask."""
    ran = program("probe", plan.name, "--json")
    try:
        shown = json.loads(ran.out)
    except ValueError:
        absent = Problem(ran.complaint or "the relay cannot be looked at", KINDS.get(ran.code, "unavailable"))
        if absent.kind not in ("unavailable", "try-again"):
            raise absent from None
        return Looked(f"{plan.host} was not found", problem=absent, remedy=REMEDIES["dns"])  # nothing was there to be called
    certificate = next(iter(shown["certificates"]), {"sha256": ""})
    error = shown["error"] or {"phase": "", "kind": "", "ours": False}
    phase = "refused" if error["kind"] == "connection_refused" else "ours" if error.get("ours") else error["phase"]
    words = [f"{shown['host']}:{shown['port']} at {shown['address']}", UNREACHED.get(phase) or _encrypted(shown["tls"])]
    if (login := shown["login"]) and (login["ok"] or phase == "auth"):
        words.append(f"login as {login['username']} {'accepted' if login['ok'] else 'refused'}")
    if sender := shown["sender"]:
        words.append(f"mail from {sender['address']} {'would be taken' if sender['ok'] else 'is refused'}")
    problem = Problem(ran.complaint.removesuffix(f" [{error['kind']}]"), KINDS.get(ran.code, "unavailable")) if ran.code else None
    untrusted = bool(problem and shown["tls"]["problem"] and plan.tls in ("starttls", "implicit"))
    refused = "mail" if shown["sender"] and not shown["sender"]["ok"] else ""
    remedy = UNTRUSTED if untrusted else REMEDIES.get(phase or refused, "")
    return Looked(", ".join(words), certificate["sha256"], untrusted, problem, remedy)


def _encrypted(tls: dict[str, Any]) -> str:
    if not tls["version"]:
        return "not encrypted"
    return f"{tls['version']} {'with a certificate that is accepted' if tls['verified'] else 'with a certificate that nobody vouches for'}"


class TestMail(NamedTuple):
    """What became of the mail to oneself: its ID, its status, and the reason where it was not sent."""

    id: str
    status: str
    why: str


SUBJECT = "mailer works here"
TEXT = """\
This is the mail that `mailer setup` sends to see whether mail arrives. It came from {host}, by {way}.

What becomes of other mail, `mailer status` says; mail to names of that machine, such as root, comes to you, too.
"""


def trial(program: OwnProgram, plan: SetupPlan, config: Config, owner: FileOwner) -> TestMail:
    """Send a mail to oneself, and see what becomes of it: by the daemon that runs, or in one pass as `owner`. Raises `Problem`."""
    text = TEXT.format(host=config.hostname, way=plan.endpoint if plan.host else "the MX hosts of your domain")
    sent = program("send", "--to", plan.address, "--subject", SUBJECT, "--text", text, owner=owner)
    if sent.code:
        raise Problem(f"the test mail was not queued: {sent.complaint}", "unavailable")
    return deliver(program, sent.out.strip(), owner)


def deliver(program: OwnProgram, id: str, owner: FileOwner) -> TestMail:
    """Deliver what is due, and see what became of the message `id`. Raises `Problem`."""
    passed = program("run", "--once", owner=owner)
    if passed.code not in (0, ANOTHER):
        raise Problem(f"nothing can be delivered: {passed.complaint}", KINDS.get(passed.code, "unavailable"))
    end = time.monotonic() + PATIENCE
    untold = TELLING  # the database hears of the end a moment later than the spool
    while (tried := _fate(program, id, owner)).status in PENDING or not (tried.why or untold <= 0):
        if time.monotonic() > end:
            break
        untold -= tried.status not in PENDING
        time.sleep(PAUSE)
    return tried


def retry(program: OwnProgram, id: str, owner: FileOwner) -> TestMail:
    """Try the message `id` again now. Raises `Problem`."""
    program("queue", "retry", id, owner=owner)
    return deliver(program, id, owner)


def _fate(program: OwnProgram, id: str, owner: FileOwner) -> TestMail:
    ran = program("status", id, "--json", owner=owner)
    try:
        shown = json.loads(ran.out)
    except ValueError:
        raise Problem(f"what became of {id} cannot be found out: {ran.complaint}", "unavailable") from None
    person = shown["recipients"][0]
    words = (person["code"], person["enhanced_code"], person["reply"])
    return TestMail(id, shown["status"], " ".join(str(word) for word in words if word))


def reread(program: OwnProgram) -> bool:
    """Let the daemon that runs, if one does, read the configuration; whether one does. Raises `Problem` where it keeps that of before."""
    ran = program("reload")
    if ran.code == KEPT:
        raise Problem(f"the daemon that runs keeps the configuration of before: {ran.complaint}; restart it", "bad-config")
    return ran.code == 0
