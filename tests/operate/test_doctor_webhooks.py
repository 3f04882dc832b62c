"""What the doctor finds of webhooks: each trouble with its remedy."""

from __future__ import annotations

import asyncio
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from mailer.check.finding import FAIL, PASS, WARN
from mailer.config import Config
from mailer.config.sections import Mailer
from mailer.hooks.endpoint import EndpointState
from mailer.hooks.files import LOCK, FileHookStore
from mailer.hooks.signing import written
from mailer.io.lock import sole
from mailer.journal.files import FileJournal
from mailer.operate.doctor.webhooks import webhooks
from tests.hooks.endpoints import event, webhook
from tests.hooks.test_store import dead

NOW = time.time()


class Patient:
    """A spool with an endpoint whose secret is good, and for which somebody posts."""

    def __init__(self, place: Path) -> None:
        self.spool = place / "spool"
        self.spool.mkdir(mode=0o700)
        self.secret = place / "secret"
        self.secret.write_text(written(bytes(32)))
        self.secret.chmod(0o600)
        self.store = FileHookStore(str(self.spool))

    def looked(self, state: EndpointState | None = None, *, runs: bool = True, **settings: Any) -> list[tuple[str, str, str]]:
        """The result, evidence and advice of each finding."""
        config = Config(mailer=Mailer(spool=str(self.spool)), webhooks=(webhook(secret_file=str(self.secret), **settings),))
        if state:
            asyncio.run(self.store.note("shop", state))
        with sole(f"{self.spool}/{LOCK}", "") if runs else nullcontext():
            return [(each.result, each.evidence, each.advice) for each in asyncio.run(webhooks(config, NOW))]


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    return Patient(tmp_path)


def test_nothing_is_wrong(patient: Patient) -> None:
    """With an endpoint that takes events; nor with none."""
    assert patient.looked(EndpointState(good_at=NOW)) == [(PASS, "takes events", "")]
    assert asyncio.run(webhooks(Config(mailer=Mailer(spool=str(patient.spool))), NOW)) == []


def test_one_that_is_switched_off_fails(patient: Patient) -> None:
    """Nobody has it back but a person."""
    ((result, evidence, advice),) = patient.looked(EndpointState().switched_off("it answered 410", NOW))
    assert (result, evidence) == (FAIL, "is switched off: it answered 410")
    assert advice.startswith("mailer hooks enable shop")


def test_one_that_is_far_behind_fails(patient: Patient) -> None:
    """With how far, and why."""
    journal = FileJournal(f"{patient.spool}/journal")
    asyncio.run(journal.append([event(1)._replace(at=time.time() - 7200)]))
    asyncio.run(journal.close())
    ((result, evidence, advice),) = patient.looked(EndpointState(failures=3, why="it answered 500"))
    assert (result, advice) == (FAIL, "mailer hooks test shop shows what it answers")
    assert evidence.startswith("has not had 1 events, the oldest of which is 2.0 h old: it answered 500")


def test_one_that_has_failed_just_now_is_a_warning(patient: Patient) -> None:
    """It is tried again by itself."""
    assert patient.looked(EndpointState(failures=1, why="it answered 500"))[0][:2] == (WARN, "gets nothing now: it answered 500")


def test_events_that_were_refused_for_good_are_a_warning(patient: Patient) -> None:
    """They are kept, and can be posted again."""
    asyncio.run(patient.store.bury("shop", [dead(1)]))
    ((result, evidence, advice),) = patient.looked(EndpointState(dead=1, dead_at=NOW, why="it answered 422"))
    assert result == WARN
    assert "1 events for good (it answered 422)" in evidence
    assert "--dead" in advice


@pytest.mark.parametrize("wrong", ["open", "missing", "garbage"])
def test_a_secret_that_cannot_be_used_fails(patient: Patient, wrong: str) -> None:
    """What is in it is not said."""
    if wrong == "open":
        patient.secret.chmod(0o644)
    elif wrong == "missing":
        patient.secret.unlink()
    else:
        patient.secret.write_text("hunter2")
    ((result, evidence, advice),) = patient.looked()
    assert (result, advice) == (FAIL, "mailer hooks rotate shop makes a secret")
    assert "secret" in evidence
    assert "hunter2" not in evidence


def test_a_login_for_listmonk_is_another_secret(patient: Patient) -> None:
    """user:password; a secret of Standard Webhooks is none."""
    assert patient.looked(format="listmonk")[0][0] == FAIL
    patient.secret.write_text("robot:token\n")
    assert patient.looked(format="listmonk")[0][0] == PASS


def test_nobody_posts(patient: Patient) -> None:
    """Events wait then, which is a warning."""
    assert [each[:2] for each in patient.looked(runs=False)][1:] == [(WARN, "nobody posts events: what happens waits in the journal")]
