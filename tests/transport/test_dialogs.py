"""Every dialog of tests/dialogs against `Connection`, over the loopback."""

from __future__ import annotations

import asyncio

import pytest

from mailer.tlspolicy import Requirement
from mailer.transport.connection import Connection, Parcel
from mailer.transport.errors import SessionError
from mailer.transport.route import Endpoint, Login, Timeouts
from tests.fakes import waiting
from tests.fakes.dialog import HELLO, Dialog, all_dialogs
from tests.fakes.script import Script
from tests.net.conftest import NAME, Certificates

DIALOGS = {dialog.name: dialog for dialog in all_dialogs()}


@pytest.mark.parametrize("name", DIALOGS)
def test_over_the_loopback(name: str, certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection says what the dialog says, octet by octet, and finds what it finds."""
    if DIALOGS[name].nonce:
        monkeypatch.setattr("mailer.transport.session.token_urlsafe", lambda _: DIALOGS[name].nonce)
    results, wrong = waiting.run(play(DIALOGS[name], certificates))
    assert wrong == ""
    assert len(results) == len(DIALOGS[name].results), results
    for result, wanted in zip(results, DIALOGS[name].results, strict=True):
        assert result.startswith(wanted), results


async def play(dialog: Dialog, certificates: Certificates) -> tuple[list[str], str]:
    """The results, and what the server found wrong."""
    requirement = Requirement(dialog.tls, dialog.verified, certificates.ca_file)
    name, secret = dialog.login or ("", "")
    login = Login(name, lambda: secret, dialog.allow_plain, dialog.auth, dialog.authorization) if name or dialog.auth else None
    async with Script(dialog.turns, certificates.good) as script:
        endpoint = Endpoint(NAME, script.port, requirement, login, hello=HELLO, protocol=dialog.protocol, chunking=dialog.chunking)
        results = await converse(dialog, endpoint)
    return results, script.wrong


async def converse(dialog: Dialog, endpoint: Endpoint) -> list[str]:
    """Open a session and send the message as often as the dialog says."""
    try:
        connection = await Connection.open(endpoint, "127.0.0.1", Timeouts(5, 5, 5, 5, 5, 5, 5, 5, 1))
    except SessionError as error:
        return [f"open {error.kind} {error.phase} {error.reply}"]
    results = []
    for _ in range(dialog.deliveries):
        answers = await connection.deliver(Parcel(dialog.sender, dialog.recipients, dialog.content, request=dialog.request))
        results += [f"{answer.to} {answer.phase} {answer.kind} {answer.reply}" for answer in answers]
    await asyncio.sleep(0.01)  # what the server does on its own arrives
    results.append("usable" if connection.usable else "over")
    await connection.close()
    return results
