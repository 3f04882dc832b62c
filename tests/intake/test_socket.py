"""The socket: frames, limits, and that whatever one caller does, the next one is served."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailer.intake.socket import LARGE, LARGE_AT_ONCE, SMALL, CallLimits, IntakeServer
from mailer.mail.principal import Principal, unix
from mailer.mail.problem import Problem
from mailer.spool.files.handover import ANSWER_CODES, NAME, Unanswered, ask
from tests.fakes.chance import examples
from tests.fakes.processes import wait_until

LIMITS = CallLimits(connections=6, each=6, seconds=20.0, largest=4 << 20)


class Running:
    """A server in a thread of its own, and what it told: the questions, and errors of ours."""

    def __init__(self, root: Path, limits: CallLimits, answer: Callable[[int, bytes], Iterator[bytes]]) -> None:
        self.root = str(root)
        self.asked: list[tuple[Principal, bytes]] = []
        self.bugs: list[Exception] = []
        self._answer = answer
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run(limits)))
        self._thread.start()
        assert self._ready.wait(60)

    async def _run(self, limits: CallLimits) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = IntakeServer(self.root, self.answer, limits, self.bugs.append)
        self._ready.set()
        await self._stop.wait()
        await server.close()

    def answer(self, who: Principal, question: bytes) -> Iterator[bytes]:
        self.asked.append((who, question))
        return self._answer(who, question)

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(60)
        assert not self._thread.is_alive()

    def call(self) -> socket.socket:
        """A caller who has not said anything yet."""
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        peer.settimeout(60)
        with at_home(self.root):
            peer.connect(NAME)
        return peer

    def serves(self) -> None:
        """Somebody else asks, and is answered."""
        assert ask(self.root, "hello", b"", 60) == ("hello", b"")

    def served(self) -> bool:
        """Whether somebody else who asks is answered."""
        try:
            self.serves()
        except Unanswered:
            return False
        return True


@contextmanager
def at_home(path: str) -> Iterator[None]:
    """A socket's path is short, pytest's directories are not."""
    before = os.getcwd()
    os.chdir(path)
    try:
        yield
    finally:
        os.chdir(before)


def echo(_who: Principal, question: bytes) -> Iterator[bytes]:
    yield b"ok " + question


@contextmanager
def running(root: Path, limits: CallLimits = LIMITS, answer: Callable[[int, bytes], Iterator[bytes]] = echo) -> Iterator[Running]:
    server = Running(root, limits, answer)
    try:
        yield server
    finally:
        server.stop()


def frame(question: bytes) -> bytes:
    return len(question).to_bytes(4, "big") + question


def heard(peer: socket.socket) -> bytes:
    """Everything until the server hangs up."""
    data = b""
    while part := peer.recv(1 << 16):
        data += part
    return data


def is_cut(peer: socket.socket) -> bool:
    """Whether the server hung up without a word."""
    try:
        return peer.recv(1) == b""
    except ConnectionError:
        return True


def taken(peer: socket.socket, count: int) -> int:
    """How many of so many bytes it takes before its patience ends."""
    sent = 0
    try:
        while sent < count:
            sent += peer.send(b"x" * min(count - sent, 4096))
    except TimeoutError:
        pass
    return sent


def test_a_question_is_answered_and_another_one_after_it(tmp_path: Path) -> None:
    """Frames follow each other on one connection; the user who asks is the one whom the kernel names."""
    with running(tmp_path) as server, server.call() as peer:
        for question in (b"one", b"put two\n" + b"x" * 100_000):
            peer.sendall(frame(question))
            wanted = frame(b"ok " + question)
            data = b""
            while len(data) < len(wanted):
                data += peer.recv(1 << 16)
            assert data == wanted
        assert [who for who, _ in server.asked] == [unix(os.geteuid())] * 2


def test_a_question_may_come_byte_by_byte(tmp_path: Path) -> None:
    """Where a segment ends means nothing."""
    with running(tmp_path) as server, server.call() as peer:
        for byte in frame(b"hello\n"):
            peer.sendall(bytes([byte]))
        peer.shutdown(socket.SHUT_WR)
        assert heard(peer) == frame(b"ok hello\n")


def test_two_questions_in_one_segment_are_two(tmp_path: Path) -> None:
    """What comes after a frame is the next one."""
    with running(tmp_path) as server, server.call() as peer:
        peer.sendall(frame(b"a") + frame(b"b"))
        peer.shutdown(socket.SHUT_WR)
        assert heard(peer) == frame(b"ok a") + frame(b"ok b")


@pytest.mark.parametrize("sent", [b"", b"\0", b"\0\0\0", frame(b"hello")[:-1], frame(b"put " + b"x" * 100_000)[:70_000]])
def test_half_a_frame_is_no_question(tmp_path: Path, sent: bytes) -> None:
    """Whoever hangs up in the middle of one has asked nothing."""
    with running(tmp_path) as server:
        with server.call() as peer:
            peer.sendall(sent)
            peer.shutdown(socket.SHUT_WR)
            assert heard(peer) == b""
        assert server.asked == []
        server.serves()


@pytest.mark.parametrize(
    ("length", "code"), [(0, b"no 64 "), (LIMITS.largest + 1, b"no 65 "), (1 << 31, b"no 65 "), ((1 << 32) - 1, b"no 65 ")]
)
def test_a_length_that_none_has_ends_the_call(tmp_path: Path, length: int, code: bytes) -> None:
    """Nothing is read of it, and no memory taken for it."""
    with running(tmp_path) as server:
        with server.call() as peer:
            peer.sendall(length.to_bytes(4, "big"))
            assert heard(peer)[4:].startswith(code)
        assert server.asked == []
        server.serves()


@settings(max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=200), max_size=5))
def test_garbage_ends_one_call_and_nothing_else(tmp_path: Path, pieces: list[bytes]) -> None:
    """Whatever bytes come, in whatever pieces: the next caller is served, and no error of ours was met."""
    with running(tmp_path) as server:
        with server.call() as peer:
            try:
                for piece in pieces:
                    peer.sendall(piece)
                peer.shutdown(socket.SHUT_WR)
                heard(peer)
            except ConnectionError:
                pass
        server.serves()
        assert server.bugs == []


def test_a_slow_writer_is_cut_off_and_holds_nobody_up(tmp_path: Path) -> None:
    """A question has to be there in time, however busily its bytes drip."""
    with running(tmp_path, LIMITS._replace(seconds=0.3)) as server, server.call() as slow, server.call() as silent:
        slow.sendall(frame(b"x" * 1000)[:5])
        wait_until("somebody else is served", server.served)
        for _ in range(1000):
            try:
                slow.sendall(b"x")
            except ConnectionError:
                break
            threading.Event().wait(0.02)
        else:
            pytest.fail("it may go on for ever")
        assert is_cut(silent)
        assert {question for _, question in server.asked} == {b"hello\n"}


def test_a_slow_reader_is_cut_off(tmp_path: Path) -> None:
    """An answer has to be taken in time."""
    with running(
        tmp_path, LIMITS._replace(seconds=0.3), lambda _who, question: iter([b"ok " + question + b"\n" + b"x" * (1 << 24)])
    ) as server:
        with server.call() as peer:
            peer.sendall(frame(b"hello"))
            poll = select.poll()
            poll.register(peer, 0)  # a hang-up is told all the same, before anything is read
            assert poll.poll(60_000)
            assert len(heard(peer)) < 1 << 24
        server.stop()


def test_there_are_so_many_places_and_no_more(tmp_path: Path) -> None:
    """A thousand who only call: all but a few are hung up on at once, and a place is free again when its holder leaves."""
    with running(tmp_path) as server:
        callers = [server.call() for _ in range(LIMITS.connections)]
        for _ in range(1000):
            with server.call() as late:
                assert is_cut(late)
        with pytest.raises(Unanswered):
            ask(server.root, "hello", b"", 60)
        for caller in callers:
            caller.close()
        wait_until("the places are free again", server.served)


def test_one_user_has_not_all_the_places(tmp_path: Path) -> None:
    """A part of them is for others."""
    with running(tmp_path, LIMITS._replace(each=2)) as server:
        first, second, third = server.call(), server.call(), server.call()
        assert is_cut(third)
        for peer in (first, second, third):
            peer.close()


def test_large_questions_are_held_one_by_one_and_small_ones_pass(tmp_path: Path) -> None:
    """The memory that a user can make the daemon take is bounded: of one too many, nothing is read until another has gone."""
    with running(tmp_path) as server, ExitStack() as calls:
        first = [calls.enter_context(server.call()) for _ in range(LARGE_AT_ONCE // 2)]  # the other half is for others
        for peer in first:
            peer.sendall((LARGE + 5).to_bytes(4, "big") + b"put " + b"x" * LARGE)  # more than the kernel holds: it is being read
        last = calls.enter_context(server.call())
        last.sendall((LARGE + 5).to_bytes(4, "big") + b"put ")
        server.serves()
        last.settimeout(0.3)
        left = LARGE + 1 - taken(last, LARGE + 1)
        assert left
        for peer in first:
            peer.close()
        last.settimeout(60)
        last.sendall(b"x" * left)
        last.shutdown(socket.SHUT_WR)
        assert heard(last)[4:7] == b"ok "


def test_only_a_message_is_a_long_question(tmp_path: Path) -> None:
    """What only looks needs a line and a filter; more of it is not read."""
    with running(tmp_path) as server:
        with server.call() as peer:
            peer.sendall((SMALL + 1).to_bytes(4, "big") + b"list")
            assert heard(peer)[4:].startswith(b"no 64 ")
        assert server.asked == []
        server.serves()


def test_an_answer_in_pieces_is_one(tmp_path: Path) -> None:
    """However many there are; one that breaks off is none."""

    def answer(_who: Principal, question: bytes) -> Iterator[bytes]:
        yield b"ok all\n"
        for at in range(100):
            yield b"%d\n" % at
        if question == b"half\n":
            raise Problem("it cannot be read", "io-error")

    with running(tmp_path, answer=answer) as server:
        for _ in range(2):
            assert ask(server.root, "whole", b"", 60) == ("all", b"".join(b"%d\n" % at for at in range(100)))
        with pytest.raises(Unanswered):
            ask(server.root, "half", b"", 60)
        assert server.bugs == []
        server.stop()


def test_what_is_not_taken_is_not_made(tmp_path: Path) -> None:
    """Sixteen who ask for much and read nothing: a user has two answers under way, and of each two pieces are held."""
    made: list[int] = []
    closed: list[int] = []

    def answer(_who: Principal, question: bytes) -> Iterator[bytes]:
        if not question.startswith(b"list"):
            yield from echo(_who, question)
            return
        try:
            for at in range(1000):
                made.append(at)
                yield b"x" * (1 << 20)
        finally:
            closed.append(1)

    with running(tmp_path, LIMITS._replace(connections=20, each=20), answer) as server, ExitStack() as calls:
        for _ in range(16):
            calls.enter_context(server.call()).sendall(frame(b"list"))
        assert ask(server.root, "put x", b"", 60)[0] == "put x"
        wait_until("two are under way", lambda: len(made) >= 4)
        assert ask(server.root, "put x", b"", 60)[0] == "put x"
        assert len(made) == 4
        server.stop()
        assert len(closed) == 2


def test_an_error_of_ours_ends_one_call(tmp_path: Path) -> None:
    """It is told, and the next one is served."""

    def answer(who: Principal, question: bytes) -> Iterator[bytes]:
        if question == b"bang":
            raise ZeroDivisionError("ours")
        yield from echo(who, question)

    with running(tmp_path, answer=answer) as server:
        with server.call() as peer:
            peer.sendall(frame(b"bang"))
            assert heard(peer) == b""
        server.serves()
        assert [str(error) for error in server.bugs] == ["ours"]


def test_what_is_asked_slowly_holds_up_no_other(tmp_path: Path) -> None:
    """One who puts a message does not wait for one who looks at his."""
    go = threading.Event()

    def answer(who: Principal, question: bytes) -> Iterator[bytes]:
        if question.startswith(b"list"):
            assert go.wait(60)
        yield from echo(who, question)

    with running(tmp_path, answer=answer) as server, server.call() as peer:
        peer.sendall(frame(b"list"))
        assert ask(server.root, "put ID", b"", 60)[0] == "put ID"
        go.set()
        peer.shutdown(socket.SHUT_WR)
        assert heard(peer) == frame(b"ok list")


def test_the_socket_is_for_everybody_and_goes_with_its_daemon(tmp_path: Path) -> None:
    """An old one is replaced; afterwards there is none, and callers know at once."""
    for _ in range(2):
        (tmp_path / NAME).write_bytes(b"left over")
        with running(tmp_path) as server:
            assert stat.S_IMODE(os.stat(tmp_path / NAME).st_mode) == 0o666
            idle = server.call()
            server.serves()
        assert is_cut(idle)
        idle.close()
        assert not (tmp_path / NAME).exists()
    with pytest.raises(Unanswered):
        ask(str(tmp_path), "hello")


def test_a_spool_with_a_long_path_has_one_too(tmp_path: Path) -> None:
    """A socket's path has 108 bytes; that of a directory may have more."""
    root = tmp_path / ("x" * 200)
    root.mkdir()
    with running(root) as server:
        server.serves()


# The caller's end


@contextmanager
def answering(root: Path, answer: bytes) -> Iterator[None]:
    """Somebody who takes one question and says that, as it is, and hangs up."""
    with socket.socket(socket.AF_UNIX) as listening:
        with at_home(str(root)):
            listening.bind(NAME)
        listening.listen()

        def serve() -> None:
            peer, _ = listening.accept()
            with peer:
                peer.recv(1 << 16)
                peer.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            thread.join(60)


@pytest.mark.parametrize("answer", [b"", b"\0\0", frame(b"ok hello")[:-1], b"\xff\xff\xff\xffok"])
def test_an_answer_that_is_none_reads_as_no_answer(tmp_path: Path, answer: bytes) -> None:
    """The daemon died, or it is none of ours."""
    with answering(tmp_path, answer), pytest.raises(Unanswered):
        ask(str(tmp_path), "hello", b"", 10)


@pytest.mark.parametrize(("answer", "code"), [(b"no 65 too bad", 65), (b"no sixty too bad", 74), (b"yes", 74), (b"", 74)])
def test_a_no_is_a_failure_with_the_daemons_words(tmp_path: Path, answer: bytes, code: int) -> None:
    """And what nobody understands is one too."""
    with answering(tmp_path, frame(answer)), pytest.raises(Problem) as caught:
        ask(str(tmp_path), "hello", b"", 10)
    assert ANSWER_CODES[caught.value.kind] == code


def test_a_daemon_that_says_nothing_is_waited_for_so_long_and_no_longer(tmp_path: Path) -> None:
    """Then there is drop/."""
    go = threading.Event()
    with running(tmp_path, answer=lambda *_: iter([b"no" if not go.wait(60) else b"ok"])) as server:
        with pytest.raises(Unanswered):
            ask(server.root, "hello", b"", 0.1)
        go.set()
