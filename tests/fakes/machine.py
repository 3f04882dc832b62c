"""A dialog run against the state machine alone: no network, no event loop, bytes cut as the test likes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from mailer.mail.outcome import Phase
from mailer.smtp.client import PHASE, Client, ClientState
from mailer.smtp.handshake import HANDSHAKE, SECURED, Wish, handshake
from mailer.smtp.reply import ProtocolError, Reply, SessionRefused, TroubleKind, Veil
from mailer.smtp.transaction import Transaction

from .dialog import HELLO, Dialog, Turn

Cut = Callable[[bytes], Iterable[bytes]]


def whole(data: bytes) -> Iterable[bytes]:
    """All at once."""
    return [data]


def byte_by_byte(data: bytes) -> Iterable[bytes]:
    """One octet at a time."""
    return [data[at : at + 1] for at in range(len(data))]


class Machine:
    """Plays `dialog`; `results` has then what came of it, in the words of the file."""

    def __init__(self, dialog: Dialog, cut: Cut) -> None:
        self.dialog = dialog
        self.client = Client(secure=dialog.tls == "implicit", lmtp=dialog.protocol == "lmtp")
        self.results: list[str] = []
        self._turns = list(dialog.turns)
        self._cut = cut
        self._arriving: Iterator[bytes] = iter(())
        self._lost = False

    def run(self) -> list[str]:
        """Play it to its end."""
        if self.dialog.tls == "implicit":
            assert self._turns.pop(0).who == "TLS"
        if self._open():
            for _ in range(self.dialog.deliveries):
                self._deliver()
            self._rest()
            self.results.append("over" if self.client.over or self._lost else "usable")
        assert not [turn for turn in self._turns if turn.data], "something was not said"
        return self.results

    def _open(self) -> bool:
        login = self.dialog.login or ("", "")
        dialog = self.dialog
        wish = Wish(HELLO, dialog.tls, dialog.verified, *login, dialog.allow_plain, dialog.auth, dialog.nonce, dialog.authorization)
        self.client.veil = Veil(wish.secret)
        talk = handshake(self.client, wish)
        try:
            step = next(talk)
            while True:
                step = talk.send(self._handshake() if step is HANDSHAKE else self._ask(step))
        except StopIteration:
            return True
        except SessionRefused as refused:
            self.results.append(f"open {refused.kind} {refused.phase} {refused.reply}")
        except (OSError, ProtocolError) as error:
            kind, phase, reply = self._explain(error)
            self.results.append(f"open {kind} {phase} {reply}")
        return False

    def _ask(self, step) -> Reply:
        if step.verb != "CONNECT":
            self._write(self.client.send((step,)))
        try:
            while not (answered := self.client.feed(self._read())):
                pass
        except OSError:
            cut = self.client.break_off()
            if cut is None or cut.reply.positive:
                raise
            return cut.reply
        if step.verb == "STARTTLS":
            self._rest()
        self.client.check()
        return answered[0].reply

    def _handshake(self) -> Reply:
        turn = self._turns.pop(0)
        assert turn.who == "TLS", turn
        self.client.secured()
        return SECURED

    def _deliver(self) -> None:
        dialog = self.dialog
        transaction = Transaction(
            dialog.sender,
            dialog.recipients,
            dialog.content,
            self.client.extensions,
            request=dialog.request,
            protected=self.client.secure and dialog.verified,
            chunking=dialog.chunking,
        )
        try:
            while commands := transaction.envelope(self.client):
                self._write(self.client.send(commands))
                self._hear(transaction)
            if self.client.state is ClientState.CONTENT:
                self._write(self.client.send(transaction.content()))
                self._hear(transaction)
        except (OSError, ProtocolError) as error:
            trouble = self._explain(error)
            if (cut := self.client.break_off()) is not None:
                transaction.hear(*cut)
            transaction.broken(*trouble, self.client.unanswered)
            self._lost = True
        self.results += [f"{to} {phase} {kind} {reply}" for to, phase, kind, reply in transaction.answers()]

    def _hear(self, transaction: Transaction) -> None:
        while self.client.unanswered:
            for command, reply in self.client.feed(self._read()):
                transaction.hear(command, reply)
            self.client.check()

    def _rest(self) -> None:
        """What the server said behind its last reply, without being asked."""
        try:
            for piece in self._arriving:
                self.client.feed(piece)
            while self._turns and self._turns[0].who == "S":
                self.client.feed(self._turns.pop(0).data)
        except ProtocolError:
            assert self.client.over

    def _explain(self, error: Exception) -> tuple[TroubleKind, Phase, Reply]:
        if isinstance(error, ProtocolError):
            return "unasked" if error.unasked else "protocol", PHASE[self.client.verb], Reply.own(451, "4.5.0", str(error))
        return "lost", PHASE[self.client.verb], Reply.own(451, "4.4.2", str(error))

    # -- the wire

    def _write(self, data: bytes) -> None:
        assert self._turns, f"nobody expects {data!r}"
        turn = self._turns.pop(0)
        assert turn.who == "C", f"{data!r} was said where {turn} comes next"
        assert turn.data.startswith(data), f"{data!r} was said instead of {turn.data!r}"
        if turn.data != data:
            self._turns.insert(0, Turn("C", turn.data[len(data) :]))

    def _read(self) -> bytes:
        piece = next(self._arriving, None)
        if piece is not None:
            return piece
        turn = self._turns.pop(0) if self._turns else Turn("END")
        if turn.who == "END":
            raise ConnectionResetError("the host closed the connection")
        assert turn.who == "S", f"we wait for the server where {turn} comes next"
        self._arriving = iter(self._cut(turn.data))
        return next(self._arriving)
