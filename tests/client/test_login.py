"""The client's logins and its TLS: who we are, and over which wire."""

from __future__ import annotations

import traceback
from base64 import b64encode

import pytest

from mailer import (
    ErrorKind,
    Login,
    Requirement,
    SmtpAuthenticationError,
    SmtpTlsError,
)
from mailer.sink import Sink
from tests.client.outcomes import outcome
from tests.fakes import waiting
from tests.fakes.friendly import Friendly
from tests.net.conftest import NAME, Certificates

from .letters import ONCE, client, mail


def test_logging_in() -> None:
    """With the right password the message goes out under our name."""

    async def run() -> None:
        async with Sink(users={"anna": "s3cret pass"}) as sink:
            login = Login("anna", lambda: "s3cret pass", allow_plain=True)
            async with client(sink.port, credentials=login) as sending:
                await sending.send(mail())
                assert sink.messages[0].user == "anna"
                assert (await sending.test_connection()).authenticated_as == "anna"

    waiting.run(run())


def test_a_wrong_password() -> None:
    """Its own kind, critical, never tried again, and in no text."""

    async def run() -> None:
        async with Sink(users={"anna": "another"}) as sink:
            login = Login("anna", lambda: "s3cret pass", allow_plain=True)
            async with client(sink.port, credentials=login) as sending:
                error = await outcome(sending, mail())
                assert isinstance(error, SmtpAuthenticationError)
                assert (error.kind, error.severity, error.retryable) == (ErrorKind.CREDENTIALS_INVALID, "critical", False)
                shown = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error)) + repr(sending) + repr(login)
                assert "s3cret" not in shown

    waiting.run(run())


def test_a_server_that_repeats_the_password() -> None:
    """Whatever it says back, no secret gets into an error."""

    async def run() -> None:
        encoded = b64encode(b"\0anna\0s3cret pass")
        replies = {b"EHLO": b"250-x\r\n250 AUTH PLAIN\r\n", b"AUTH": b"501 5.5.4 what is " + encoded + b" or s3cret pass\r\n"}
        async with Friendly(replies) as server, client(server.port, credentials=Login("anna", lambda: "s3cret pass", True)) as sending:
            error = await outcome(sending, mail())
            shown = "".join(traceback.format_exception(error)) + repr(vars(error))
            assert isinstance(error, SmtpAuthenticationError)
            assert "s3cret" not in shown
            assert encoded.decode() not in shown

    waiting.run(run())


def test_a_password_stays_here_without_tls() -> None:
    """A pair of name and password goes over verified TLS only."""

    async def run() -> None:
        async with Sink(users={"anna": "x"}) as sink, client(sink.port, credentials=("anna", "x")) as sending:
            assert (await outcome(sending, mail())).kind is ErrorKind.AUTH_METHOD_NOT_SUPPORTED

    waiting.run(run())


def test_a_server_that_wants_a_login() -> None:
    """Without credentials, what is missing is said."""

    async def run() -> None:
        async with Sink(users={"anna": "x"}) as sink, client(sink.port) as sending:
            assert (await outcome(sending, mail())).kind is ErrorKind.AUTHENTICATION_REQUIRED

    waiting.run(run())


@pytest.mark.parametrize("mode", ["starttls", "implicit"])
def test_over_tls(mode: str, certificates: Certificates) -> None:
    """With a good certificate the message goes, and the password too; the result says what was achieved."""

    async def run() -> None:
        tls = Requirement(mode, ca_file=certificates.ca_file, server_name=NAME)
        users = {"anna": "x"}
        async with (
            Sink(tls=certificates.good, implicit_tls=mode == "implicit", users=users) as sink,
            client(sink.port, tls=tls, credentials=("anna", "x")) as sending,
        ):
            result = await sending.send(mail())
            assert (result.tls_wanted, result.tls) == (mode, f"{sink.messages[0].tls} verified")
            info = await sending.test_connection()
            assert (info.tls, info.authenticated_as) == (result.tls, "anna")
            assert info.extensions.pipelining

    waiting.run(run())


@pytest.mark.parametrize(
    ("server", "kind"),
    [
        ("unknown", ErrorKind.CERTIFICATE_UNTRUSTED),
        ("other_name", ErrorKind.CERTIFICATE_INVALID),
        ("none", ErrorKind.STARTTLS_NOT_SUPPORTED),
    ],
)
def test_tls_that_is_not_good_enough(server: str, kind: ErrorKind, certificates: Certificates) -> None:
    """There is no mail then, no second try, and the kind says what is wrong."""

    async def run() -> None:
        tls = Requirement("starttls", ca_file=certificates.ca_file, server_name=NAME)
        async with Sink(tls=getattr(certificates, server, None)) as sink, client(sink.port, tls=tls) as sending:
            error = await outcome(sending, mail())
            assert isinstance(error, SmtpTlsError)
            assert (error.kind, error.retryable) == (kind, False)
            assert sink.count == 0

    waiting.run(run())


def test_tls_that_the_server_refuses_for_now() -> None:
    """Its 454 to STARTTLS is worth another try; a handshake that is no TLS is not."""

    async def run() -> None:
        offer = b"250-x\r\n250 STARTTLS\r\n"
        async with Friendly({b"EHLO": offer, b"STARTTLS": b"454 4.3.0 busy\r\n"}) as server, client(server.port, tls="starttls") as sending:
            error = await outcome(sending, mail())
            assert (error.kind, error.retryable, server.sessions) == (ErrorKind.TLS, True, 3)
        async with Friendly() as server, client(server.port, tls="implicit") as sending:
            error = await outcome(sending, mail())
            assert error.kind in (ErrorKind.TLS_HANDSHAKE_FAILED, ErrorKind.TLS_VERSION_MISMATCH)
            assert not error.retryable

    waiting.run(run())


def test_an_error_that_our_caller_is_busy_with_is_not_the_cause() -> None:
    """A send from within an except block is judged by what happened to it."""

    async def run() -> None:
        replies = {b"EHLO": b"250-x\r\n250 STARTTLS\r\n", b"STARTTLS": b"454 no\r\n"}
        async with Friendly(replies) as server, client(server.port, tls="starttls", retry=ONCE) as sending:
            try:
                raise ConnectionRefusedError(111, "something else")
            except ConnectionRefusedError:
                assert (await outcome(sending, mail())).kind is ErrorKind.TLS

    waiting.run(run())
