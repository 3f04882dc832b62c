"""What ``mailer setup`` does, step by step, in words with whoever is there: see `setup` for what it is."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mailer.config import file
from mailer.config.model import Config
from mailer.config.secret import keeper_of, owner_of
from mailer.mail.problem import Problem
from mailer.operate.machine import USER, Sendmail, SystemService, daemon_user, make_place, make_user
from mailer.operate.oauth import PATIENCE
from mailer.operate.own import OwnProgram
from mailer.operate.plan import STATE
from mailer.operate.setup import SetupDraft, look, reread, retry, trial

from . import EXIT_CODES, OK, TRY_AGAIN, UNAVAILABLE, ask, complain
from .oauth import inviting
from .options import usage
from .setup_answers import Interview

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mailer.config.secret import FileOwner
    from mailer.operate.plan import SetupPlan
    from mailer.operate.setup import Looked, TestMail

    from .options import Given


ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Setup:
    """One run: what was given, and whether a person is there; `path` is where the configuration goes."""

    def __init__(self, given: Given, path: str) -> None:
        for name in ("--unit", "--sendmail"):
            if given.flag(name) and given.flag(f"--no-{name[2:]}"):
                raise usage(f"{name} and --no-{name[2:]} are two answers; give one", "setup")
        self.given = given
        self.path = path
        self.person = ask.person()
        self.yes = given.flag("--yes")
        argv, environment = own_program()
        self.program = OwnProgram(argv, path, environment)
        self.service = SystemService(started_as() or argv, path, user=os.geteuid() != 0)
        self.unit = self.sendmail_wanted = False

    def say(self, line: str) -> None:
        """One line of what was done."""
        if not self.given.flag("--quiet"):
            ask.say(line)

    # What is there already

    def before(self) -> Config:
        """The configuration that is there, as far as it can be read: it may name the name servers."""
        try:
            data = Path(self.path).read_bytes()
        except OSError:
            return Config()
        found, _ = file.examine(self.path, data)
        return found or Config()

    def may_replace(self) -> None:
        """Ask before a configuration of before goes. Raises `Problem` (cannot-create) where it is to stay."""
        if not os.path.lexists(self.path) or self.yes:
            return
        if not self.person:
            raise Problem(f"{self.path} exists already; with --yes it is replaced, and kept as {self.path}.old", "cannot-create")
        if not ask.yes(f"{self.path} exists already. Replace it? It is kept as {self.path}.old.", default=False):
            raise Problem(f"{self.path} stays as it is", "cannot-create")

    # The configuration

    def written(self) -> tuple[SetupPlan, FileOwner, Config]:
        """Answers that work, or that somebody wants all the same, and their files in place. Raises `Problem`."""
        plan = Interview(self.given, self.path, self.before()).plan()
        self._besides()
        state = STATE if self.unit and plan.system else ""
        for number in ENDS:
            signal.signal(number, _interrupted)  # so that nothing is left half-written
        while True:
            plan = replace(plan, state=state)
            with SetupDraft(plan) as draft:
                draft.consent(inviting(browser=not self.given.flag("--no-browser")), 0, PATIENCE)
                answer = "write" if self.given.flag("--no-probe") or not plan.host else "again"
                while answer == "again":
                    answer = self._looked(draft)
                if answer == "write":
                    owner = self._owner(plan)
                    for line in draft.put(owner):
                        self.say(line)
                    return plan, owner, draft.config
            if answer.startswith("trust "):
                plan = replace(plan, fingerprints=(*plan.fingerprints, answer.split()[1]))
            elif answer == "change":
                plan = Interview(self.given, self.path, self.before(), plan).plan()

    def _looked(self, draft: SetupDraft) -> str:
        """Look at the relay; what to do then: ``write``, ``change``, ``again`` or ``trust`` and a fingerprint."""
        plan = draft.plan
        self.say(f"looking at {plan.endpoint} …")
        found = look(self.program.at(draft.path), plan)
        self.say(f"  {found.words}")
        if found.problem is None:
            return "write"
        if not self.person:
            remedy = f"; {found.remedy}" if found.remedy else ""
            raise Problem(f"{found.problem}; nothing was written (--no-probe writes without a look){remedy}", found.problem.kind)
        return self._mended(found)

    def _mended(self, found: Looked) -> str:
        """What a person says to a relay that would not have his mail. Raises `Problem` where he gives up."""
        assert found.problem
        complain(str(found.problem), OK)
        if found.remedy:
            ask.say(f"  {found.remedy}")
        options = [("change", "answer the questions anew"), ("again", "look once more"), ("write", "write it all the same")]
        if found.untrusted and found.fingerprint:
            options.insert(0, ("trust", f"trust this certificate from now on: SHA-256 {found.fingerprint}"))
        answer = ask.chosen("What now?", [*options, ("quit", "end here; nothing is written")], "change")
        if answer == "quit":
            raise Problem("nothing was written", found.problem.kind)
        return f"trust {found.fingerprint}" if answer == "trust" else answer

    def _owner(self, plan: SetupPlan) -> FileOwner:
        """Whose the secrets and the spool are; root makes the user and the spool for a service of its own. Raises `Problem`."""
        if not (self.unit and plan.system):
            return keeper_of(plan.spool)
        return service_owner(plan.spool, [plan.state] if plan.tokens else [], self.say)

    # What else there is to make

    def _besides(self) -> None:
        """Ask what else is wanted, as long as nothing was done."""
        where = "at each boot" if os.geteuid() == 0 else "whenever you log in"
        self.unit = self._wanted("--unit", f"Start the daemon now and {where}, by systemd?", offered=self.service.possible)
        if self.unit:
            self.service.check()
        others = self.sendmail.foreign
        question = f"Make {self.sendmail.program} for other programs that send mail, such as cron?"
        if others:
            names, them = _listed(others)
            question = f"{names} of another mail system. Put {them} aside, and be sendmail in {'its' if them == 'it' else 'their'} place?"
        offered = os.geteuid() == 0 and not self.sendmail.ours
        self.sendmail_wanted = self._wanted("--sendmail", question, offered=offered, default=not others)
        if self.sendmail_wanted and others and not self.yes and not self.person:
            names, them = _listed(others)
            raise Problem(f"{names} of another mail system; with --yes {them} {'is' if them == 'it' else 'are'} put aside", "cannot-create")

    @property
    def sendmail(self) -> Sendmail:
        """The programs of others, where they look for them: root's in /usr, a user's in ~/.local."""
        prefix = self.given.path("--prefix") or ("/usr" if os.geteuid() == 0 else os.path.expanduser("~/.local"))
        return Sendmail(Path(os.path.abspath(prefix)), sys.executable, sys.path)

    def _wanted(self, name: str, question: str, *, offered: bool, default: bool = True) -> bool:
        if self.given.flag(name):
            return True
        if self.given.flag(f"--no-{name[2:]}") or not offered or not self.person:
            return False
        return ask.yes(question, default=default)

    def finish(self, written: tuple[SetupPlan, FileOwner, Config]) -> int:
        """Send a mail, start the service, make sendmail; the exit code is that of the mail."""
        plan, owner, config = written
        running = told_anew(self.program)
        code = OK if self.given.flag("--no-test") else self._tried(plan, owner, config)
        if self.unit:
            self._each(self.service.install())
        if self.sendmail_wanted:
            self._each(self.sendmail.install())
        self.say("")
        done = "All is set up" if code == OK else "All but what is said of the mail above is set up"
        self.say(f"{done}. Try it: mailer send --to {plan.address} --subject hello --text 'It works.'")
        if not self.unit and not running:
            self.say("Mail leaves while the daemon runs: start it with `mailer run`.")
        return code

    def _each(self, lines: Iterator[str]) -> None:
        for line in lines:
            self.say(line)

    def _tried(self, plan: SetupPlan, owner: FileOwner, config: Config) -> int:
        """Send a mail to oneself; what fails is told with its reason, and can be tried again."""
        self.say(f"sending a mail to {plan.address} …")
        try:
            tried = trial(self.program, plan, config, owner)
            while tried.status != "sent" and self._again(tried):
                tried = retry(self.program, tried.id, owner)
        except Problem as problem:
            return complain(f"{problem}; the configuration is written: `mailer config check` finds mistakes", EXIT_CODES[problem.kind])
        if tried.status == "sent":
            self.say(f"  it was taken: {tried.why or 'sent'}")
            return OK
        return TRY_AGAIN if tried.status in ("deferred", "queued") else UNAVAILABLE

    def _again(self, tried: TestMail) -> bool:
        """Say what became of the mail; whether to try once more."""
        if tried.status in ("deferred", "queued"):
            complain(
                f"the mail was put off for now: {tried.why}; it is tried again by itself, and `mailer explain {tried.id}` says more", OK
            )
            return self.person and ask.yes("Try it again now?", default=False)
        complain(f"the mail {tried.status}: {tried.why}; `mailer explain {tried.id}` says what that means and what mends it", OK)
        return False


def service_owner(spool: str, more: Sequence[str], say: Callable[[str], None]) -> FileOwner:
    """The user of the machine's service, made where there is none, with `spool` and `more` places of his. Raises `Problem`."""
    for line in make_user():
        say(line)
    owner = daemon_user()
    assert owner
    for path in (spool, *more):
        for line in make_place(path, owner):
            say(line)
    found = owner_of(spool)
    if found.uid != owner.uid:
        raise Problem(
            f"the spool {spool} belongs to {found.name}, and the daemon of the service runs as {USER}; once no daemon runs on it: "
            f"chown -R {USER}: {spool}",
            "no-permission",
        )
    return owner


def _listed(paths: Sequence[Path]) -> tuple[str, str]:
    """Programs by their names, with what is said of one or of several; and how they are called then."""
    return (f"{paths[0]} is", "it") if len(paths) == 1 else (f"{', '.join(map(str, paths[:-1]))} and {paths[-1]} are", "them")


def _interrupted(_number: int, _frame: object) -> None:
    for number in ENDS:
        signal.signal(number, signal.SIG_IGN)  # what is left to do is soon done
    raise KeyboardInterrupt


def told_anew(program: OwnProgram) -> bool:
    """Whether a daemon runs, which knows the new configuration then if it can; if it cannot, that is said."""
    try:
        return reread(program)
    except Problem as problem:
        complain(str(problem), OK)
        return True


def own_program() -> tuple[list[str], dict[str, str]]:
    """What starts our program under our own interpreter, whatever is on the PATH, and what it needs in its environment."""
    import mailer

    home = str(Path(mailer.__file__).parents[1])
    return [sys.executable, "-P", "-m", "mailer"], {"PYTHONPATH": os.pathsep.join(dict.fromkeys(filter(None, (home, *sys.path))))}


def started_as() -> list[str]:
    """The script that this was started as, or that is on the PATH, for a service to start; empty where there is none."""
    for name in (sys.argv[0], "mailer"):
        script = shutil.which(name)  # a file that can be started
        if script and os.path.basename(script) == "mailer" and Path(script).read_bytes()[:2] == b"#!":
            return [os.path.abspath(script)]
    return []
