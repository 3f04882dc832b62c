"""What the users of this machine are called where people read it."""

from __future__ import annotations

import pwd

from mailer.machine.users import called


def test_a_user_is_called_by_name_and_number() -> None:
    """By the number alone where nobody has named it, or it can be none."""
    known = pwd.getpwuid(0).pw_name
    assert called(0) == f"{known} (user 0)"
    assert called(2**31 - 7) == f"user {2**31 - 7}"
    assert called(2**70) == f"user {2**70}"
