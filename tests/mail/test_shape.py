"""The shape of a subject: what a program writes anew each time is left out."""

from __future__ import annotations

import time

import pytest

from mailer.mail.shape import shape


@pytest.mark.parametrize(
    ("subject", "left"),
    [
        ("", ""),
        ("Backup failed", "Backup failed"),
        ("Backup 12 failed", "Backup # failed"),
        ("Cron <root@web1>  /usr/bin/backup\t17", "Cron <root@#> /usr/bin/backup #"),
        ("down since 2026-11-30T13:07:15Z, 17:03", "down since #, #"),
        ("disk sda1 is 97.3% full (1,204 MB)", "disk # is #% full (# MB)"),
        ("job 01M8PABYZMJWRDWGRR3SYSR6TC ended", "job # ended"),
        ("10.0.0.7 is gone", "# is gone"),
        ("[b2-7] Überlauf 3", "[#] Überlauf #"),
    ],
)
def test_numbers_and_times_are_left_out(subject: str, left: str) -> None:
    """Words stay, and so does what tells one kind of message from another."""
    assert shape(subject) == left


def test_a_long_subject_takes_no_time() -> None:
    """Whatever a stranger writes: only the beginning is looked at."""
    began = time.process_time()
    for subject in ("a" * 100_000, "a1-" * 100_000, "1" * 100_000, "-1" * 50_000):
        assert len(shape(subject)) <= 200
    assert time.process_time() - began < 1
