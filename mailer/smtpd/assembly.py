"""What the doors are made of: their kinds, those who judge what comes in, and who lives behind them, as parts of the daemon."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

from mailer.filtering.component import FilterComponent
from mailer.limits.store.sqlite import SqliteLimits
from mailer.limits.users import UserLimits
from mailer.serving.component import ServedDoors
from mailer.serving.counting import CountedLimits, limits_of
from mailer.serving.login import LoginDesk

from .mx import StrangerDoorKind
from .reception import Reception
from .reports import ReportDoorKind
from .submission import SubmissionDoorKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.accounts.residents import Residents
    from mailer.accounts.sessions.register import SessionRegister
    from mailer.config import Config
    from mailer.events import Event
    from mailer.io.clock import Clock
    from mailer.io.component import Chores
    from mailer.reports.api import Reports
    from mailer.transport.writers import MailboxOpener


def mail_doors(
    config: Config,
    residents: Residents,
    reports: Reports,
    tell: Callable[[Event], None],
    clock: Clock,
    chores: Chores,
    arrived: Callable[[], object],
    register: SessionRegister,
    boxes: MailboxOpener | None = None,
) -> tuple[FilterComponent, ServedDoors]:
    """All doors by which mail comes in, with what stands behind them, in the order in which they start.

    `residents` live here, and who of them is logged in is in the `register`. `reports` is where those about our mail are taken, and
    `arrived` is called when there are new ones. `boxes` are mailboxes of our own.
    """
    filters = FilterComponent(config, config.spool, tell, clock, chores)
    about_us = ReportDoorKind(config, reports, tell, clock, arrived)
    panel = filters.panel
    reception = Reception(config, residents, about_us.counter, tell, clock, panel, panel.resolver.records, boxes)
    limits = UserLimits.of(*limits_of(config), secret=secrets.token_bytes())
    desk = reception.desk = LoginDesk(residents.users, limits, tell, clock.now, register=register)
    counted = CountedLimits(limits, SqliteLimits(config.spool), f"run-{os.getpid()}", tell, clock.now, chores)
    submission = SubmissionDoorKind(desk, reception, counted)
    kinds = (about_us, StrangerDoorKind("mx", reception), StrangerDoorKind("lmtp", reception), submission)
    return filters, ServedDoors(config, kinds, tell, clock, chores)
