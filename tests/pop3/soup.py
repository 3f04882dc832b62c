"""What a client of POP3 may say, by chance: commands that are right, nearly right, or none, and octets."""

from __future__ import annotations

import random

VERBS = (
    "CAPA", "STLS", "USER", "PASS", "AUTH", "QUIT", "STAT", "LIST", "UIDL", "RETR", "TOP", "DELE", "NOOP", "RSET", "LAST", "APOP", "XTND",
)  # fmt: skip
WORDS = ("1", "2", "3", "0", "-1", "99999999999", "1 1", "1 0", "2 1000000", "ann", "secret", "PLAIN", "PLAIN =", "LOGIN", "é", "*", "")
ENDS = (b"\r\n",) * 12 + (b"\n", b"\r", b"\r\r\n", b"\0\r\n")


def line(dice: random.Random) -> bytes:
    """One command."""
    if dice.random() < 0.05:
        return dice.randbytes(dice.randrange(400)) + dice.choice(ENDS)
    verb = dice.choice(VERBS)
    verb = verb.lower() if dice.random() < 0.1 else verb
    words = " ".join([verb, *(dice.choice(WORDS) for _ in range(dice.choice((0, 1, 1, 1, 2))))])
    return words.encode() + dice.choice(ENDS)


def in_order(dice: random.Random, many: int) -> bytes:
    """Commands of somebody who has logged in, who mostly asks what there is to ask."""
    said = [b"USER ann\r\nPASS secret\r\n"]
    for _ in range(many):
        verb = dice.choice(("STAT", "LIST", "UIDL", "NOOP", "RSET", "RETR 1", "RETR 2", "TOP 2 1", "DELE 1", "LIST 2", "UIDL 3", "CAPA"))
        said.append(f"{verb}\r\n".encode() if dice.random() < 0.97 else line(dice))
    return b"".join(said)


def anything(dice: random.Random, many: int) -> bytes:
    """Commands in any order."""
    return b"".join(line(dice) for _ in range(many))
