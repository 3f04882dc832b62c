"""The receiving machine of POP3, beside what the dialogs say: its answers out of order, its bounds, and its list of messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.pop3.commands import PopRefused
from mailer.pop3.maildrop import PORTION, Maildrop
from mailer.pop3.questions import PopGreeting, PopLogin, PopReply, PopRetrieve
from mailer.pop3.server import FULL, PopServer, PopSettings, PopState
from mailer.pop3.states import NEEDS, VERBS, WHEN

from .talk import Household, pumped

CLEAR = PopSettings(clear=True, starttls=True, mechanisms=("PLAIN",))
LOGIN = b"USER ann\r\nPASS secret\r\n"


def logged_in(household: Household, settings: PopSettings = CLEAR) -> PopServer:
    """A session of Ann's."""
    machine = PopServer(settings)
    pumped(machine, household)
    machine.feed(LOGIN)
    pumped(machine, household)
    assert machine.state is PopState.TRANSACTION
    return machine


def test_an_answer_fits_its_question() -> None:
    """A driver that answers what nobody has asked has a bug, and hears of it."""
    machine = PopServer(CLEAR)
    for wrong in (machine.answer, machine.sent, lambda: machine.send(b""), lambda: machine.admit("ann", Maildrop())):
        with pytest.raises(RuntimeError):
            wrong()
    assert isinstance(machine.next(), PopGreeting)
    machine.answer()
    machine.feed(LOGIN)
    assert isinstance(machine.next(), PopLogin)
    with pytest.raises(RuntimeError):
        machine.answer()
    assert machine.next() is None


def test_what_is_to_be_said_is_bounded() -> None:
    """A list of a hundred thousand messages is made as it is taken, and a thousand lists wait for one another."""
    household = Household([(f"name{number}", b"") for number in range(30_000)])
    machine = logged_in(household)
    machine.feed(b"UIDL\r\n" * 3 + b"STAT\r\n")
    heard, most = [], 0
    while machine.next() is None:
        piece = machine.take()
        most = max(most, len(piece))
        heard.append(piece)
        if not machine.stalled:
            break
    assert most < FULL + PORTION * 20
    said = b"".join(heard)
    assert said.count(b"\r\n.\r\n") == 3
    assert said.endswith(b".\r\n+OK 30000 0\r\n")


@pytest.mark.parametrize("tls", ["", "TLSv1.3"])
@pytest.mark.parametrize("settings", [CLEAR, PopSettings(), PopSettings(starttls=True, mechanisms=("PLAIN",)), PopSettings(clear=True)])
@pytest.mark.parametrize("user", [False, True])
def test_what_is_told_is_what_is_obeyed(tls: str, settings: PopSettings, user: bool) -> None:
    """CAPA and the parser go by one list: a command of a capability that is not told is refused, and no other one is for that."""
    machine = PopServer(settings, tls)
    household = Household([("a", b"x\r\n")])
    pumped(machine, household)
    if user:
        machine.feed(LOGIN)
        pumped(machine, household)
    if (machine.state is PopState.TRANSACTION) is not user:
        return  # nobody can log in there
    machine.feed(b"CAPA\r\n")
    told = {line.split(b" ")[0].decode() for line in pumped(machine, household).split(b"\r\n")[1:-2]}
    for verb in sorted(VERBS - {"QUIT", "CAPA"}):
        machine.feed(f"{verb} {'1 0' if verb == 'TOP' else '1' if verb in ('RETR', 'DELE', 'LIST', 'UIDL') else ''}\r\n".encode())
        said = pumped(machine, household)
        possible = verb in WHEN[machine.state] if machine.state in WHEN else True
        refused = b"is not offered" in said or b"without TLS" in said or b"is spoken already" in said
        assert refused is (possible and verb in NEEDS and NEEDS[verb] not in told), (verb, said)
        if machine.state is PopState.HANDSHAKE:
            return


def test_a_session_that_is_over_says_nothing_more() -> None:
    """Whatever comes, and whatever a driver would like to say."""
    household = Household()
    machine = logged_in(household)
    machine.feed(b"QUIT\r\nSTAT\r\n")
    assert pumped(machine, household) == b"+OK bye\r\n"
    machine.feed(b"STAT\r\n")
    machine.hang_up(PopReply("late"))
    assert pumped(machine, household) == b""
    assert machine.over


def test_nothing_is_said_into_a_message() -> None:
    """Who is hung up on in the middle of one hears nothing more: it would be part of it."""
    household = Household([("a", b"x" * 100)])
    machine = logged_in(household)
    machine.feed(b"RETR 1\r\n")
    assert isinstance(machine.next(), PopRetrieve)
    machine.send(b"half")
    machine.take()
    machine.hang_up(PopReply("we are going down"))
    assert machine.take() == b""
    assert machine.over


def test_no_password_is_in_a_repr() -> None:
    """Nor in the question that has it."""
    machine = PopServer(CLEAR)
    pumped(machine, Household())
    machine.feed(LOGIN)
    assert "secret" not in repr(machine.next())


@given(st.lists(st.tuples(st.sampled_from(["mark", "unmark", "place"]), st.integers(0, 6)), max_size=30))
def test_marks_are_what_was_said(acts: list[tuple[str, int]]) -> None:
    """Compared with a set: how many are left, of which octets, and who may be asked for."""
    drop, marked = Maildrop((uid, 10**uid, f"n{uid}") for uid in range(1, 6)), set[int]()
    for act, number in acts:
        if act == "unmark":
            drop.unmark()
            marked.clear()
            continue
        try:
            if act == "mark":
                drop.mark(number)
            else:
                drop.place(number)
        except PopRefused:
            assert number in marked or not 1 <= number <= 5
        else:
            assert number not in marked
            marked |= {number} if act == "mark" else set()
        left = [each for each in range(1, 6) if each not in marked]
        assert (drop.count, drop.size, drop.marked) == (len(left), sum(10**each for each in left), sorted(marked))
        assert b"".join(drop.sizes()) == b"".join(b"%d %d\r\n" % (each, 10**each) for each in left)
        assert b"".join(drop.names()) == b"".join(b"%d n%d\r\n" % (each, each) for each in left)


SAID = st.sampled_from(
    [
        b"USER ann\r\n", b"PASS secret\r\n", b"STLS\r\n", b"\r\n", b"AUTH PLAIN\r\n", b"*\r\n", b"RETR 1\r\n", b"DELE 1\r\n",
        b"TOP 1 1\r\n", b"UIDL\r\n", b"\xff\n", b"QUIT\r\n", b"\0", b"A" * 300, b"\r",
    ]
)  # fmt: skip


@given(st.lists(SAID, max_size=30), st.integers(1, 7))
def test_whatever_comes_the_machine_stands(said: list[bytes], step: int) -> None:
    """It never raises, says lines of POP3, and removes nothing but what was marked."""
    machine, household = PopServer(CLEAR), Household([("a", b"a: b\r\n\r\nc\r\n")])
    heard = pumped(machine, household)
    everything = b"".join(said)
    for at in range(0, len(everything), step):
        machine.feed(everything[at : at + step])
        heard += pumped(machine, household)
        if machine.state is PopState.HANDSHAKE:
            machine.secured("TLSv1.3")
    assert not heard or heard.endswith(b"\r\n")
    assert len(household.removed) <= 1
    assert household.removed in ([], [[]], [[1]])
