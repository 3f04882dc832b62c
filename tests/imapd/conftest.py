"""The mailboxes over each engine that the tests of mailboxes have."""

from __future__ import annotations

from tests.mailbox.conftest import ids_of_its_own, postgresql, premises

__all__ = ["ids_of_its_own", "postgresql", "premises"]
