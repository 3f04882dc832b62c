"""What is past its time goes, from the spool and from the database, once the clock is believed."""

from __future__ import annotations

from asyncio import run

from mailer.config import load
from mailer.spool.files.spool import FileSpool
from mailer.spool.files.sweep import STANDS
from mailer.status.component import clear_out
from tests.fakes.mail import NOW, outcome

from .office import Office

DAY = 86_400.0
YEAR = 365 * DAY


def test_a_machine_that_starts_in_another_year_deletes_nothing(office: Office) -> None:
    """Failed mail and its history are there when the clock is put right, and go in their time."""
    config = load(None, office.spool.root)
    id = office.put()
    office.settle(id, outcome(0, "fail"))

    def there(now: float) -> tuple[bool, bool]:
        run(clear_out(FileSpool(office.spool), office.recorder, config, now))
        with office.view() as view:
            return office.spool.find(id) == "failed", view.reader.record(id) is not None

    assert there(NOW + 10 * YEAR) == (True, True)
    assert there(NOW + 10 * YEAR + 3600.0) == (True, True)
    later = NOW + 2 * YEAR
    assert there(later) == (True, True)
    assert there(later + STANDS) == (False, False)
