"""The secrets of rewritten senders: made once, a former one is kept for as long as reports come, and refused where others can read them."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mailer.accounts.srs_secrets import MOST, WayBack, present_srs_secrets, rotate_srs_secret, srs_place, srs_secrets
from mailer.config.file import config_of
from mailer.mail.problem import Problem
from mailer.srs import DAY, DAYS, NotTurnedBack, day_of, forward, reverse
from tests.fakes.mail import FakeClock

NOW = 1796083200.0


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "srs.secret")


def test_a_secret_is_made_when_it_is_needed_first(path: str) -> None:
    """Mode 0600; whoever asks again gets the same, and of many who ask at once all do."""
    assert srs_secrets(path) == []
    with ThreadPoolExecutor(8) as pool:
        found = [*pool.map(lambda _: present_srs_secrets(path), range(8))]
    assert len(found[0]) == 1
    assert found == [srs_secrets(path)] * 8
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert os.listdir(os.path.dirname(path)) == ["srs.secret"]


def test_a_new_one_signs_and_the_one_before_is_known(path: str) -> None:
    """What left with it comes back; one before that goes only when no report can come any more, or by force."""
    [first] = present_srs_secrets(path)
    second, known = rotate_srs_secret(path, NOW)
    assert known == first != second
    assert reverse(forward("a@example.org", "example.com", first, 100), [second, known], 100) == "a@example.org"
    os.utime(path, (NOW, NOW))
    with pytest.raises(Problem, match=r"needed for 21\.0 days.*--force"):
        rotate_srs_secret(path, NOW + DAY)
    third, known = rotate_srs_secret(path, NOW + (DAYS + 1) * DAY)
    assert known == second
    assert rotate_srs_secret(path, NOW, force=True)[1] == third


def test_those_of_postsrsd_are_taken_as_they_are(path: str) -> None:
    """Lines of any length from eight on, in their order."""
    Path(path).write_bytes(b"0123456789abcdef\n\nanother one/with=signs \n")
    os.chmod(path, 0o600)
    assert srs_secrets(path) == [b"0123456789abcdef", b"another one/with=signs"]


@pytest.mark.parametrize("content", [b"", b"\n", b"short\n", b"0123456789\nshort\n", b"0123456789abcdef\n" * (MOST + 1)])
def test_a_file_that_is_none_is_refused(content: bytes, path: str) -> None:
    """With its name and what it is to have, and nothing of what it has."""
    Path(path).write_bytes(content)
    os.chmod(path, 0o600)
    with pytest.raises(Problem, match=r"srs\.secret is to have one secret a line") as refused:
        present_srs_secrets(path)
    assert refused.value.kind == "bad-config"
    assert "0123456789" not in str(refused.value)


def test_a_file_that_others_read_is_refused(path: str) -> None:
    """Whoever knows it can make addresses that lead through us to anybody."""
    present_srs_secrets(path)
    os.chmod(path, 0o644)
    with pytest.raises(Problem, match="chmod"):
        srs_secrets(path)


def test_where_it_cannot_be_made_that_is_said(tmp_path: Path) -> None:
    """With the reason."""
    with pytest.raises(Problem, match="cannot write the file of SRS secrets") as refused:
        present_srs_secrets(str(tmp_path / "none" / "srs.secret"))
    assert refused.value.kind == "cannot-create"


def test_its_place_is_a_setting() -> None:
    """In the spool, where none is named."""
    text = '[mailer]\nspool = "/srv/spool"\n'
    assert srs_place(config_of("c.toml", text.encode())) == "/srv/spool/srs.secret"
    assert srs_place(config_of("c.toml", (text + '[forwarding]\nsecret_file = "/etc/s"\n').encode())) == "/etc/s"


def test_the_way_back_goes_by_the_file_as_it_is(path: str) -> None:
    """Without one nobody comes back; with a new secret in front the one before is known, and what is too old is not."""
    clock = FakeClock(NOW)
    back = WayBack(path, clock.now)
    with pytest.raises(NotTurnedBack):
        back("SRS0=abcd=JT=example.org=ann@example.com")
    [secret] = present_srs_secrets(path)
    made = forward("ann@example.org", "example.com", secret, day_of(NOW))
    assert back(made) == "ann@example.org"
    rotate_srs_secret(path, NOW)
    assert back(made) == "ann@example.org"
    clock.time += (DAYS + 1) * DAY
    with pytest.raises(NotTurnedBack, match="older"):
        back(made)


def test_where_the_file_cannot_be_used_nobody_is_unknown(path: str) -> None:
    """It is a problem, which ends; and then he is found."""
    [secret] = present_srs_secrets(path)
    back = WayBack(path, lambda: NOW)
    made = forward("ann@example.org", "example.com", secret, day_of(NOW))
    os.chmod(path, 0o644)
    with pytest.raises(Problem):
        back(made)
    os.chmod(path, 0o600)
    assert back(made) == "ann@example.org"
