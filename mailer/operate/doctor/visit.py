"""A visit of the doctor: who is examined, with whose eyes, and all checks together."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from mailer.check.finding import PASS, WARN, Finding
from mailer.config import values
from mailer.config.file import config_of, examine
from mailer.config.model import Config
from mailer.config.secret import owner_of
from mailer.config.values import find
from mailer.mail.problem import Problem
from mailer.net import query
from mailer.spool.files import condition, daemons
from mailer.spool.files.store import SpoolDirectory
from mailer.status import sqlite
from mailer.suppression import sqlite as suppression

from . import broker, doors, feedback, installed, journal, outward, place, records, relays, serving, setting
from .access_doors import access_doors
from .filters import filters
from .mailboxes import mailboxes
from .round import Checkup, Once, all_of
from .smtp_doors import smtp_doors
from .users import users
from .webhooks import webhooks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from mailer.config.file import Mistake

SET_UP = "set up"
"""What is found where nothing has been."""
BEGIN = "mailer setup asks what it needs and sends a first mail; mailer config init writes a file to edit"


class Examined(NamedTuple):
    """A machine's mail: the `config` that holds, what is wrong with its file, and the spool, where there is one.

    `elsewhere` are the spools on which other daemons run. `foreign` is the user whom the spool belongs to, where the one who asks is
    neither he nor root.
    """

    path: str
    config: Config
    mistakes: Sequence[Mistake]
    made: bool
    elsewhere: Sequence[str]
    foreign: str

    @property
    def fresh(self) -> bool:
        """Whether nothing has been set up: there is neither a configuration nor a spool."""
        return not self.path and not self.made

    @classmethod
    def found(cls, file: str | None, spool: str | None) -> Self:
        """The one that a configuration `file` and a `spool` mean, or the usual ones.

        A file with mistakes is as much of the patient as one without. Raises `Problem` (bad-config) where it cannot be read at all.
        """
        path, data = find(file)
        config, mistakes = examine(path, data)
        if config is None:
            config = _as_far_as_it_goes(path, data)
        if spool:
            config = config.but(mailer=config.mailer.but(spool=os.path.abspath(values.given(spool))))
        place = config.spool
        made = bool(place) and os.path.lexists(place)
        owner = owner_of(place) if made else None
        foreign = owner.name if owner and owner.is_foreign else ""
        named = spool is not None or file is not None
        return cls(path, config, mistakes, made, [] if named or not place else daemons.elsewhere(place), foreign)

    def become(self) -> tuple[Self, str]:
        """Checkup with the eyes of the user whom the daemon runs as, if root asks; the patient as he sees it, and his name.

        All that a visit loads is loaded before: the library may be closed to him.
        """
        if not self.made or os.geteuid() != 0 or owner_of(self.config.spool).uid == 0:
            return self, ""
        preload(self.config.spool)
        if self.config.amqp.configured:
            broker.preload()
        feedback.preload(self.config)
        owner = owner_of(self.config.spool)
        owner.become()
        if self.path and not self.mistakes and os.access(self.path, os.R_OK):
            again, _ = examine(*find(self.path))
            if again:  # ~ is another home for him
                return self._replace(config=again.but(mailer=again.mailer.but(spool=self.config.spool))), owner.name
        return self, owner.name


def _as_far_as_it_goes(path: str, data: bytes) -> Config:
    """What holds where a file has mistakes: where the spool is, if that much can be read."""
    try:
        return config_of(path, data, only=("mailer",))
    except Problem:
        return Config(path=path)


def preload(place: str) -> None:
    """Import what is imported only when it is asked for; of the spool at `place`, a little is read for that."""
    import encodings.idna  # noqa: F401
    import subprocess  # noqa: F401

    from cryptography import x509  # noqa: F401

    import mailer.client.probe
    import mailer.dkim.key
    import mailer.net.oauth
    import mailer.rewriting
    import mailer.routing.resolve
    import mailer.shaping.replies  # noqa: F401

    query.preload()
    sqlite.health(place)
    sqlite.view(SpoolDirectory(place)).close()
    suppression.health(place)


async def visit(patient: Examined, version: str, now: float | None = None) -> list[Finding]:
    """All that is found by our `version`, in the order of the checks. Raises nothing."""
    moment = time.time() if now is None else now
    return await all_of([*_looks(patient, moment), Checkup("versions", partial(installed.versions, version))])


def _looks(patient: Examined, now: float) -> list[Checkup]:
    config, spool = patient.config, patient.config.spool
    state = serving.running(spool) if patient.made else serving.Running(False, 0, 0.0)
    looks = [] if patient.fresh else [Checkup("configuration", partial(_configuration, patient))]
    if patient.made:
        looks.append(Checkup("daemon", partial(serving.daemon, spool, state, patient.elsewhere)))
    if patient.made and not patient.foreign:
        looks += _of_spool(config, state, now)
    looks.append(Checkup("spool", partial(_begin, patient)))
    looks.append(Checkup("sandbox", partial(setting.sandbox, config)))
    looks += _of_world(patient, now)
    if not patient.foreign:
        looks.append(Checkup("door", partial(doors.doors, config, state)))
        looks.append(Checkup("door", partial(smtp_doors, config, state)))
        looks.append(Checkup("door", partial(access_doors, config, state)))
        looks.append(Checkup("certificate", partial(doors.certificates, config, now)))
    if not patient.fresh:
        looks.append(Checkup("sendmail", installed.sendmail))
        machines = spool if spool == values.SYSTEM_SPOOL else ""
        looks.append(Checkup("service", partial(installed.unit, running=state.running, spool=machines)))
    return looks


def _of_spool(config: Config, state: serving.Running, now: float) -> list[Checkup]:
    spool = config.spool
    flaws = Once(partial(condition.flaws, spool))  # a spool may be large: it is walked through once for all of them
    return [
        Checkup("spool", partial(place.spool, spool, flaws)),
        Checkup("orphans", partial(place.lying_about, spool, flaws)),
        Checkup("space", partial(place.room, spool, config)),
        Checkup("clock", partial(place.clock, spool, now)),
        Checkup("status", partial(records.database, spool, running=state.running)),
        Checkup("suppression", partial(records.suppressed, spool)),
        Checkup("users", partial(users, config)),
        Checkup("mailboxes", partial(mailboxes, config)),
        Checkup("request ids", partial(records.requests, spool, flaws)),
        Checkup("journal", partial(journal.journal, config)),
        Checkup("doorbell", partial(serving.hearing, spool, state, config, flaws)),
        Checkup("reload", partial(serving.up_to_date, spool, state, config)),
        Checkup("limits", partial(serving.descriptors, state, config)),
        Checkup("queue", partial(serving.queue, spool, now)),
        Checkup("alarm", partial(serving.alarms, spool, state)),
        Checkup("pauses", partial(records.pauses, spool, now)),
        Checkup("webhooks", partial(webhooks, config, now)),
        Checkup("bounce key", partial(feedback.key, config)),
        Checkup("srs secret", partial(feedback.srs, config)),
        Checkup("reports", partial(feedback.reports, config, state, now)),
    ]


def _of_world(patient: Examined, now: float) -> list[Checkup]:
    """The network: nothing but the name servers of a machine where nothing has been set up yet."""
    config = patient.config
    looks = [Checkup("DNS", partial(outward.names, config.dns, config.check.port_domain))]
    if patient.fresh:
        return looks
    looks.append(Checkup("world", partial(outward.world, config, now)))
    if not patient.foreign:  # whose secrets are not his to read
        looks.append(Checkup("alarms", partial(setting.told, config)))
        looks.append(Checkup("files", partial(setting.files, config)))
        looks += [Checkup("relay", partial(relays.login, config, name, now)) for name in relays.spoken_to(config)]
        looks += [Checkup("mailbox", partial(feedback.mailbox, config, section)) for section in config.report_sources]
        if config.filters:
            looks.append(Checkup("filter", partial(filters, config)))
        if config.amqp.configured:
            looks.append(Checkup("broker", partial(broker.queues, config)))
        looks.append(Checkup("authorities", partial(relays.authorities, config)))
        looks.append(Checkup("certificate", partial(relays.own_certificates, config, now)))
    return looks


async def _configuration(patient: Examined) -> list[Finding]:
    """What is wrong with the file, and what may surprise."""
    notes = [] if patient.mistakes else await setting.surprising(patient.config)
    found = [*setting.file(patient.path, patient.mistakes, notes)]
    if patient.path and not os.access(patient.path, os.R_OK):
        found.append(setting.closed_to(patient.path))
    return found


def _begin(patient: Examined) -> list[Finding]:
    """What is said where there is no spool, or one that the user who asks may not look into."""
    spool = patient.config.spool or "none"
    if patient.foreign:
        text = f"belongs to {patient.foreign}, and only he and root see what is in it: spool, secrets and relays were not looked at"
        return [Finding("spool", spool, WARN, text, f"sudo mailer doctor, or as {patient.foreign}")]
    if patient.fresh:
        return [Finding(SET_UP, spool, PASS, "there is neither a configuration nor a spool for this user", BEGIN)]
    if not patient.made:
        return [Finding("spool", spool, PASS, "is not there yet; the first mail, or the daemon, makes it")]
    return []
