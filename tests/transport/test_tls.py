"""TLS over the loopback: whose certificate counts, and what happens when it does not."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from mailer.net import tls
from mailer.tlspolicy import MX, Requirement
from mailer.transport.connection import Connection
from mailer.transport.errors import SessionError
from mailer.transport.route import Endpoint, Login, Timeouts
from tests.fakes.dialog import Turn
from tests.fakes.script import LoopbackServer, Script
from tests.net.conftest import NAME, Certificates

TIMEOUTS = Timeouts(60, 60, 60, 60, 60, 60, 60, 60, 1)
CONTENT = b"Subject: x\r\n\r\nhello\r\n"
PLAIN = [
    Turn("S", b"220 mx.example.com\r\n"),
    Turn("C", b"EHLO localhost\r\n"),
    Turn("S", b"250-mx.example.com\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n"),
    Turn("C", b"STARTTLS\r\n"),
    Turn("S", b"220 go ahead\r\n"),
    Turn("TLS"),
]
SECURE = [*PLAIN, Turn("C", b"EHLO localhost\r\n"), Turn("S", b"250 mx.example.com\r\n")]


async def hop(turns: list[Turn], context: ssl.SSLContext, requirement: Requirement, login: Login | None = None) -> str:
    """What a session achieves, or why there is none; the server must have heard nothing that it does not expect."""
    async with Script(turns, context, handshake_may_fail=True) as script:
        endpoint = Endpoint(NAME, script.port, requirement, login)
        try:
            connection = await Connection.open(endpoint, "127.0.0.1", TIMEOUTS)
        except SessionError as error:
            assert b"AUTH" not in script.received
            assert b"MAIL" not in script.received
            return f"{error.kind} {error.phase} {error.reply}"
        await connection.close()
        assert connection.hop.tls_wanted == requirement.mode
        assert script.wrong == ""
        return connection.hop.tls


def test_verified(certificates: Certificates) -> None:
    """A certificate from a trusted authority with the right name is verified."""
    requirement = Requirement("starttls", ca_file=certificates.ca_file)
    assert asyncio.run(hop(SECURE, certificates.good, requirement)) == "TLSv1.3 verified"


def test_wrong_name(certificates: Certificates) -> None:
    """A certificate for another name is refused, and the text says so."""
    requirement = Requirement("starttls", ca_file=certificates.ca_file)
    result = asyncio.run(hop(PLAIN, certificates.other_name, requirement))
    assert result.startswith("tls starttls 454 4.7.5 TLS with mx.example.com: the certificate is not accepted: Hostname mismatch")


def test_another_name_by_configuration(certificates: Certificates) -> None:
    """The configuration may say which name the certificate must bear."""
    requirement = Requirement("starttls", ca_file=certificates.ca_file, server_name="other.example.com")
    assert asyncio.run(hop(SECURE, certificates.other_name, requirement)) == "TLSv1.3 verified"


def test_unknown_authority(certificates: Certificates) -> None:
    """A certificate that nobody vouches for is refused where it must be verified: neither AUTH nor MAIL is said."""
    requirement = Requirement("starttls", ca_file=certificates.ca_file)
    login = Login("me", lambda: "secret")
    result = asyncio.run(hop(PLAIN, certificates.unknown, requirement, login))
    assert result.startswith("tls starttls 454 4.7.5 TLS with mx.example.com: the certificate is not accepted: ")


@pytest.mark.parametrize("requirement", [MX, Requirement("starttls", verify=False), Requirement("opportunistic", verify=True)])
def test_unverified(requirement: Requirement, certificates: Certificates) -> None:
    """Where nothing has to be proved, any certificate will do, and the record says that it proved nothing."""
    assert asyncio.run(hop(SECURE, certificates.unknown, requirement)) == "TLSv1.3 unverified"


def test_oldest_version(certificates: Certificates) -> None:
    """TLS 1.2 is spoken; nothing older is, to whomever (RFC 8996)."""
    context = certificates.good
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    try:
        assert asyncio.run(hop(SECURE, context, MX)) == "TLSv1.2 unverified"
    finally:
        context.maximum_version = ssl.TLSVersion.MAXIMUM_SUPPORTED
    for requirement in (MX, Requirement("starttls", ca_file=certificates.ca_file)):
        assert tls.context(requirement).minimum_version is ssl.TLSVersion.TLSv1_2


def test_a_newer_version_by_configuration() -> None:
    """The configuration may ask for TLS 1.3, with or without verification."""
    for requirement in (Requirement("starttls", min_version="1.3"), Requirement("opportunistic", min_version="1.3")):
        assert tls.context(requirement).minimum_version is ssl.TLSVersion.TLSv1_3


def test_a_ca_file_that_is_none(certificates: Certificates) -> None:
    """A CA file that cannot be read is told by name, and no mail goes out without it."""
    requirement = Requirement("starttls", ca_file="/does/not/exist.pem")
    result = asyncio.run(hop(PLAIN[:-1], certificates.good, requirement))
    assert "the CA file /does/not/exist.pem cannot be used: No such file" in result


def test_the_peer_shows_its_certificate(certificates: Certificates) -> None:
    """The certificate of the peer can be looked at, verified or not, for policies that compare it."""

    async def first() -> list[bytes]:
        async with Script(SECURE, certificates.unknown) as script:
            connection = await Connection.open(Endpoint(NAME, script.port, MX), "127.0.0.1", TIMEOUTS)
            shown = connection.peer_certificates
            await connection.close()
            return shown

    shown = asyncio.run(first())
    assert shown[0].startswith(b"\x30\x82")  # DER
    assert NAME.encode() in shown[0]


class BrokenTls(LoopbackServer):
    """Offers STARTTLS, agrees to it, and then does not speak TLS; without it, takes mail."""

    heard: list[bytes]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heard = []
        writer.write(b"220 mx.example.com\r\n")
        while line := await reader.readline():
            self.heard.append(line)
            if line.startswith(b"EHLO"):
                writer.write(b"250-mx.example.com\r\n250 STARTTLS\r\n")
            elif line == b"STARTTLS\r\n":
                writer.write(b"220 go ahead\r\n")
                await reader.read(1)
                writer.write(b"454 this is no TLS\r\n")
                await writer.drain()
                return
            else:
                writer.write(b"250 ok\r\n")


def test_opportunistic_falls_back_at_once_and_only_once() -> None:
    """When opportunistic TLS fails, the same attempt goes on without it; the next attempt tries TLS again."""

    async def attempts() -> tuple[list[str], int]:
        async with BrokenTls() as server:
            achieved = []
            for _ in range(2):
                connection = await Connection.open(Endpoint(NAME, server.port, MX), "127.0.0.1", TIMEOUTS)
                assert server.heard == [b"EHLO localhost\r\n"]
                achieved.append(connection.hop.tls or "none")
                await connection.close()
            return achieved, server.sessions

    assert asyncio.run(attempts()) == (["none", "none"], 4)


def test_required_never_falls_back() -> None:
    """When required TLS fails, there is no session, and no second connection either."""

    async def attempt() -> tuple[str, int]:
        async with BrokenTls() as server:
            with pytest.raises(SessionError) as caught:
                await Connection.open(Endpoint(NAME, server.port, Requirement("starttls", verify=False)), "127.0.0.1", TIMEOUTS)
            return f"{caught.value.kind} {caught.value.reply}", server.sessions

    result, sessions = asyncio.run(attempt())
    assert result.startswith("tls 454 4.7.5 TLS with mx.example.com: ")
    assert sessions == 1


def test_plain_speech_on_a_port_for_tls() -> None:
    """A server that greets without TLS on a port for implicit TLS is found out, and told nothing."""

    async def attempt() -> tuple[str, bytes]:
        async with Script([Turn("S", b"220 mx.example.com\r\n")]) as script:
            with pytest.raises(SessionError) as caught:
                await Connection.open(Endpoint(NAME, script.port, Requirement("implicit", verify=False)), "127.0.0.1", TIMEOUTS)
            return str(caught.value.reply), script.received

    reply, received = asyncio.run(attempt())
    assert reply == f"454 4.7.5 TLS with {NAME}: what the host sent is no TLS"
    assert b"EHLO" not in received


def test_contexts_are_cached_by_requirement(certificates: Certificates) -> None:
    """Equal requirements share a context, different ones never do: a session that proves nothing is not taken for one that does."""
    strict = Requirement("starttls", ca_file=certificates.ca_file)
    assert tls.context(strict) is tls.context(Requirement("starttls", ca_file=certificates.ca_file))
    assert tls.context(strict) is not tls.context(MX)
    before = tls.context(strict)
    tls.forget()
    assert tls.context(strict) is not before


class Shown:
    """A server that wants a certificate, and counts whose sessions were resumed."""

    def __init__(self, path: Path) -> None:
        self.authority = trustme.CA()
        self.ca_file = str(path / "ca.pem")
        self.authority.cert_pem.write_to_path(self.ca_file)
        certificate = self.authority.issue_cert(NAME)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(self.context)
        der = ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode())
        self.fingerprint = hashlib.sha256(der).hexdigest()
        own = self.authority.issue_cert("client.example.org")
        self.certificate, self.key = str(path / "own.pem"), str(path / "own.key")
        own.cert_chain_pems[0].write_to_path(self.certificate)
        own.private_key_pem.write_to_path(self.key)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """Made once."""
    return Shown(tmp_path_factory.mktemp("shown"))


def colons(digits: str) -> str:
    """A fingerprint as tools print it."""
    return ":".join(digits[at : at + 2] for at in range(0, 64, 2)).upper()


def test_pinned(shown: Shown) -> None:
    """A certificate that was written down counts, whoever signed it and whatever its name."""
    requirement = Requirement("starttls", server_name="other.example.com", fingerprints=("0" * 64, colons(shown.fingerprint)))
    assert asyncio.run(hop(SECURE, shown.context, requirement)) == "TLSv1.3 verified"


def test_pinned_to_another(shown: Shown) -> None:
    """Another certificate does not, though a trusted authority vouches for it; the text says what was found, for the file."""
    requirement = Requirement("starttls", ca_file=shown.ca_file, fingerprints=("0" * 64,))
    result = asyncio.run(hop(PLAIN, shown.context, requirement, Login("me", lambda: "secret")))
    assert result.startswith("tls starttls 454 4.7.5 TLS with mx.example.com: the certificate is not accepted: its fingerprint is ")
    assert shown.fingerprint in result


def test_client_certificate(shown: Shown) -> None:
    """A host that wants to see our certificate is shown it."""
    wanting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    shown.authority.issue_cert(NAME).configure_cert(wanting)
    shown.authority.configure_trust(wanting)
    wanting.verify_mode = ssl.CERT_REQUIRED
    wanting.maximum_version = ssl.TLSVersion.TLSv1_2  # with 1.3 the refusal comes only behind the handshake
    requirement = Requirement("starttls", ca_file=shown.ca_file)
    assert asyncio.run(hop(PLAIN, wanting, requirement)).startswith("tls starttls 454")
    ours = replace(requirement, client_certificate=shown.certificate, client_key=shown.key)
    assert asyncio.run(hop(SECURE, wanting, ours)) == "TLSv1.2 verified"


@pytest.mark.parametrize("key", ["", "/nonexistent", "other"])
def test_client_certificate_that_cannot_be_used(shown: Shown, key: str) -> None:
    """A certificate without its key makes the session fail, in words that name the file: nothing is wrong with the host.

    Nothing is asked on a terminal.
    """
    requirement = Requirement(
        "starttls", ca_file=shown.ca_file, client_certificate=shown.certificate, client_key=shown.ca_file if key == "other" else key
    )
    result = asyncio.run(hop(PLAIN[:-1], shown.context, requirement))
    assert result.startswith(f"ours starttls 454 4.3.5 the client certificate {shown.certificate} cannot be used: ")


async def resumed(shown: Shown, requirements: list[Requirement], host: str = NAME) -> list[bool]:
    """Of sessions that follow each other, which were resumed."""
    found = []
    async with Script(SECURE, shown.context, handshake_may_fail=True) as script:
        for requirement in requirements:
            connection = await Connection.open(Endpoint(host, script.port, requirement), "127.0.0.1", TIMEOUTS)
            assert connection.peer_certificates
            found.append(connection.resumed)
            await connection.close()
    return found


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_resumption(shown: Shown, version: ssl.TLSVersion) -> None:
    """The next session with a host resumes the one before."""
    tls.forget()
    shown.context.maximum_version = version
    try:
        requirement = Requirement("starttls", ca_file=shown.ca_file)
        assert asyncio.run(resumed(shown, [requirement] * 3)) == [False, True, True]
        pinned = Requirement("starttls", fingerprints=(shown.fingerprint,))
        assert asyncio.run(resumed(shown, [pinned] * 2)) == [False, True]
    finally:
        shown.context.maximum_version = ssl.TLSVersion.MAXIMUM_SUPPORTED


def test_no_resumption_across_policies(shown: Shown) -> None:
    """What was made without verification is never resumed where there has to be one, nor what was made for another name."""
    tls.forget()
    lax = Requirement("starttls", verify=False)
    strict = Requirement("starttls", ca_file=shown.ca_file)
    pinned = Requirement("starttls", fingerprints=(shown.fingerprint,))
    assert asyncio.run(resumed(shown, [lax, strict, pinned, MX])) == [False] * 4
    assert asyncio.run(resumed(shown, [lax], "other.example.com")) == [False]
    assert asyncio.run(resumed(shown, [strict])) == [True]
    with pytest.raises(SessionError):  # what was good for one name is checked anew for another
        asyncio.run(resumed(shown, [strict], "other.example.com"))


def test_a_session_from_before_the_files_changed(shown: Shown) -> None:
    """After `forget` nothing is resumed: the authorities may be others now."""
    tls.forget()
    requirement = Requirement("starttls", ca_file=shown.ca_file)
    assert asyncio.run(resumed(shown, [requirement])) == [False]
    tls.forget()
    assert asyncio.run(resumed(shown, [requirement, requirement])) == [False, True]


@pytest.mark.parametrize("text", ["", "00", "x" * 64, "sha256:" + "0" * 64])
def test_what_is_no_fingerprint(text: str) -> None:
    """A pin that could never match is refused where it is written."""
    with pytest.raises(ValueError, match="fingerprint"):
        Requirement("starttls", fingerprints=(text,))
