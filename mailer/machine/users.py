"""The users of this machine, as people call them."""

from __future__ import annotations


def called(uid: int) -> str:
    """``anna (user 1000)``; ``user 1000`` where nobody has named it."""
    import pwd

    try:
        return f"{pwd.getpwuid(uid).pw_name} (user {uid})"
    except (KeyError, OverflowError):
        return f"user {uid}"
