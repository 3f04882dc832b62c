"""What programs of users are told of the doors: each form is read by a reader that is not ours."""

from __future__ import annotations

import plistlib
from xml.etree import ElementTree

import pytest

from mailer.config.file import config_of
from mailer.discovery import apple, outlook, thunderbird
from mailer.discovery.outlook import ANSWER, OUTLOOK, NoQuestion, address_asked
from mailer.discovery.records import service_records
from mailer.discovery.services import MailService, is_served, services_of

DOORS = """\
[mailer]
hostname = "mail.example.com"
[[domain]]
name = "example.com"
via = "local"
[[domain]]
name = "bücher.example"
via = "local"
[[listen]]
kind = "imap"
address = "0.0.0.0:143"
tls = "starttls"
certificate_file = "/x.pem"
[[listen]]
kind = "imap"
address = ["127.0.0.1:1143", "0.0.0.0:993", "[::]:993"]
tls = "implicit"
certificate_file = "/x.pem"
[[listen]]
kind = "pop3"
address = "127.0.0.1:1110"
[[listen]]
kind = "submission"
address = "0.0.0.0:2465"
tls = "implicit"
certificate_file = "/x.pem"
"""
IMAP = MailService("imap", "mail.example.com", 993, "tls")
POP = MailService("pop3", "mail.example.com", 995, "tls")
OUT = MailService("submission", "mail.example.com", 587, "starttls")
QUESTION = (
    '<?xml version="1.0"?><Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006">'
    "<Request><EMailAddress>{}</EMailAddress><AcceptableResponseSchema>"
    "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a</AcceptableResponseSchema></Request></Autodiscover>"
)


def test_doors_are_told_of_as_programs_have_to_call_them() -> None:
    """TLS from the first byte comes first; a door that only this machine gets to is told of where there is no other of its kind."""
    assert services_of(config_of("c", DOORS.encode())) == (
        IMAP,
        MailService("imap", "mail.example.com", 143, "starttls"),
        MailService("pop3", "127.0.0.1", 1110, "none"),
        MailService("submission", "mail.example.com", 2465, "tls"),
    )


@pytest.mark.parametrize(
    ("domain", "served"),
    [
        ("example.com", True), ("EXAMPLE.com.", True), ("bücher.example", True), ("xn--bcher-kva.example", True),
        ("example.org", False), ("", False), ("x" * 300, False), ("a..b", False),
    ],
)  # fmt: skip
def test_domains_of_ours_are_known_however_they_are_written(domain: str, served: bool) -> None:
    assert is_served(config_of("c", DOORS.encode()), domain) is served


def test_records_name_each_service_once_and_say_which_there_is_none_of() -> None:
    """RFC 6186 §3.1, RFC 8314 §5.1: the root as target says that there is no such service."""
    found = {record.name: record.text for record in service_records([IMAP, OUT], "example.com")}
    assert found == {
        "_imaps._tcp.example.com": "0 1 993 mail.example.com.",
        "_imap._tcp.example.com": "0 0 0 .",
        "_pop3s._tcp.example.com": "0 0 0 .",
        "_pop3._tcp.example.com": "0 0 0 .",
        "_submissions._tcp.example.com": "0 0 0 .",
        "_submission._tcp.example.com": "0 1 587 mail.example.com.",
    }
    assert [record.priority for record in service_records([POP, IMAP], "e") if record.target] == [0, 10]


def test_where_mail_is_read_elsewhere_nothing_is_said_of_that() -> None:
    assert [record.name for record in service_records([OUT], "e")] == ["_submissions._tcp.e", "_submission._tcp.e"]


def test_thunderbird_gets_a_file_of_its_form() -> None:
    """Root, provider, and for each server what its format wants, in the words that it has."""
    root = ElementTree.fromstring(thunderbird.client_config([IMAP, POP, OUT], "example.com"))
    assert (root.tag, root.get("version")) == ("clientConfig", "1.1")
    [provider] = root
    assert provider.get("id") == provider.findtext("domain") == "example.com"
    servers = [(each.tag, each.get("type"), {part.tag: part.text for part in each}) for each in provider if len(each)]
    assert [kind for *kind, _ in servers] == [["incomingServer", "imap"], ["incomingServer", "pop3"], ["outgoingServer", "smtp"]]
    assert servers[0][2] == {
        "hostname": "mail.example.com", "port": "993", "socketType": "SSL", "authentication": "password-cleartext",
        "username": "%EMAILADDRESS%",
    }  # fmt: skip
    assert servers[2][2]["socketType"] == "STARTTLS"


def test_outlook_gets_the_best_door_of_each_kind() -> None:
    root = ElementTree.fromstring(outlook.settings_answer([IMAP, IMAP._replace(port=143), OUT], "ann@example.com"))
    assert root.tag == f"{{{ANSWER}}}Autodiscover"
    protocols = root.findall(f".//{{{OUTLOOK}}}Protocol")
    assert [{part.tag.rpartition("}")[2]: part.text for part in each} for each in protocols] == [
        {
            "Type": "IMAP", "Server": "mail.example.com", "Port": "993", "DomainRequired": "off", "LoginName": "ann@example.com",
            "SPA": "off", "SSL": "on", "Encryption": "SSL", "AuthRequired": "on",
        },
        {
            "Type": "SMTP", "Server": "mail.example.com", "Port": "587", "DomainRequired": "off", "LoginName": "ann@example.com",
            "SPA": "off", "SSL": "on", "Encryption": "TLS", "AuthRequired": "on", "UsePOPAuth": "off", "SMTPLast": "off",
        },
    ]  # fmt: skip


def test_an_address_breaks_out_of_no_answer() -> None:
    """What a stranger writes as his address is text, whatever is in it."""
    wild = '<x attr="1">&amp;]]>@example.com'
    root = ElementTree.fromstring(outlook.settings_answer([IMAP], wild))
    assert root.findtext(f".//{{{OUTLOOK}}}LoginName") == wild
    assert plistlib.loads(apple.profile((IMAP, OUT), wild))["PayloadContent"][0]["EmailAddress"] == wild


def test_the_question_of_outlook_is_read_as_far_as_the_address() -> None:
    assert address_asked(QUESTION.format("ann@example.com").encode()) == "ann@example.com"
    assert address_asked(("\ufeff" + QUESTION.format("änn@example.com")).encode()) == "änn@example.com"
    assert address_asked(b"<a:q xmlns:a='urn:x'><a:EMailAddress> ann@example.com\n</a:EMailAddress></a:q>") == "ann@example.com"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"<a>",
        QUESTION.format("").encode(),
        QUESTION.format("ann").encode(),
        QUESTION.format("@example.com").encode(),
        QUESTION.format("a&#10;b@example.com").encode(),
        QUESTION.format("a" * 400 + "@example.com").encode(),
        b'<!DOCTYPE a [<!ENTITY x "y">]><a><EMailAddress>&x;@example.com</EMailAddress></a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a><EMailAddress>a@example.com</EMailAddress></a>',
        b'<?xml version="1.0" encoding="x-none"?><a/>',
        b"<a>" * 20_000,
    ],
)
def test_what_is_no_question_is_refused(body: bytes) -> None:
    """Broken, without an address, or with a document type, where entities are declared that grow without end or read files."""
    with pytest.raises(NoQuestion):
        address_asked(body)


def test_a_profile_has_one_account_and_no_password() -> None:
    """A second profile for an address takes the place of the first; that of another address stands beside it."""
    made = plistlib.loads(apple.profile((IMAP, POP, OUT), "ann@example.com"))
    [account] = made["PayloadContent"]
    assert made["PayloadType"] == "Configuration"
    assert made["PayloadIdentifier"] == "com.example.mail"
    assert account["PayloadType"] == "com.apple.mail.managed"
    assert (account["EmailAccountType"], account["IncomingMailServerPortNumber"]) == ("EmailTypeIMAP", 993)
    assert account["IncomingMailServerUseSSL"] is account["OutgoingMailServerUseSSL"] is True
    assert (account["OutgoingMailServerHostName"], account["OutgoingMailServerPortNumber"]) == ("mail.example.com", 587)
    assert not [name for name in account if name.endswith("Password") and account[name] is not True]
    assert plistlib.loads(apple.profile((IMAP,), "ann@example.com"))["PayloadUUID"] == made["PayloadUUID"]
    assert plistlib.loads(apple.profile((IMAP,), "bob@example.com"))["PayloadUUID"] != made["PayloadUUID"]


def test_no_profile_without_a_door_to_read_by() -> None:
    with pytest.raises(LookupError):
        apple.profile((OUT,), "ann@example.com")
