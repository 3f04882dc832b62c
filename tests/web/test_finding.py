"""Programs of users ask the web for the doors: without a key, by names of their own, and learn nothing of who lives here."""

from __future__ import annotations

import plistlib
from pathlib import Path
from xml.etree import ElementTree

import httpx
import pytest
import trustme

from tests.discovery.test_discovery import DOORS, QUESTION
from tests.web.api import Api


def api_of(home: Path, more: str = "") -> Api:
    """The API of a machine that has doors for users."""
    text = DOORS.partition("[[domain]]")[2]
    return Api(home, f"[[domain]]{text}{more}")


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return api_of(tmp_path)


def ask(api: Api, path: str, host: str = "mail.example.com") -> httpx.Response:
    return api.ask("GET", path, None, headers={"Host": host})


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("autoconfig.example.com", "/mail/config-v1.1.xml?emailaddress=ann%40example.com"),
        ("autoconfig.example.com", "/mail/config-v1.1.xml"),
        ("example.com", "/.well-known/autoconfig/mail/config-v1.1.xml"),
        ("mail.example.com", "/mail/config-v1.1.xml?emailaddress=nobody@EXAMPLE.com"),
    ],
)
def test_thunderbird_finds_the_doors_by_each_of_its_names(api: Api, host: str, path: str) -> None:
    answer = ask(api, path, host)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    root = ElementTree.fromstring(answer.content)
    assert [server.findtext("hostname") for server in root.iter("incomingServer")] == ["mail.example.com"] * 2 + ["127.0.0.1"]


def test_all_addresses_of_a_domain_have_one_answer(api: Api) -> None:
    """Whether somebody lives there is not told."""
    ann, nobody = (ask(api, f"/mail/config-v1.1.xml?emailaddress={name}@example.com") for name in ("ann", "nobody"))
    assert ann.content == nobody.content


@pytest.mark.parametrize("path", ["/mail/config-v1.1.xml?emailaddress=a@example.org", "/email.mobileconfig?address=a@example.org"])
def test_a_domain_of_others_is_not_known(api: Api, path: str) -> None:
    assert ask(api, path).status_code == 404


def test_names_for_finding_are_for_nothing_else(api: Api) -> None:
    """The page and the API are not at autoconfig.DOMAIN, and a domain of others is no name of this machine (DNS rebinding)."""
    assert ask(api, "/status", "autoconfig.example.com").status_code == 421
    assert ask(api, "/mail/config-v1.1.xml", "autoconfig.example.org").status_code == 421


@pytest.mark.parametrize("path", ["/autodiscover/autodiscover.xml", "/Autodiscover/Autodiscover.xml"])
def test_outlook_asks_in_xml(api: Api, path: str) -> None:
    answer = api.ask("POST", path, None, content=QUESTION.format("ann@example.com").encode(), headers={"Host": "autodiscover.example.com"})
    assert answer.status_code == 200
    assert "<LoginName>ann@example.com</LoginName>" in answer.text
    assert "<Port>993</Port>" in answer.text


@pytest.mark.parametrize(("body", "code"), [(b"<a/>", "600"), (QUESTION.format("a@example.org").encode(), "500")])
def test_outlook_hears_what_is_wrong_in_its_own_form(api: Api, body: bytes, code: str) -> None:
    answer = api.ask("POST", "/autodiscover/autodiscover.xml", None, content=body)
    assert f"<ErrorCode>{code}</ErrorCode>" in answer.text


def test_outlook_is_told_where_to_ask(api: Api) -> None:
    answer = ask(api, "/autodiscover/autodiscover.json?Email=a@example.com&Protocol=AutodiscoverV1", "autodiscover.example.com")
    assert answer.json() == {"Protocol": "AutodiscoverV1", "Url": "https://autodiscover.example.com/autodiscover/autodiscover.xml"}
    assert ask(api, "/autodiscover/autodiscover.json?Email=a@example.com&Protocol=ActiveSync").json()["ErrorCode"] == "InvalidProtocol"


def test_a_profile_comes_as_a_file(api: Api) -> None:
    answer = ask(api, "/email.mobileconfig?address=ann@example.com")
    assert answer.headers["content-type"] == "application/x-apple-aspen-config"
    assert plistlib.loads(answer.content)["PayloadContent"][0]["EmailAddress"] == "ann@example.com"
    assert ask(api, "/email.mobileconfig").status_code == 400
    assert ask(api, "/email.mobileconfig?address=a%0ab@example.com").status_code == 400


def test_a_profile_is_signed_by_the_certificate_of_the_door(tmp_path: Path) -> None:
    """Its signature holds the certificate; the property list is in it as it is."""
    authority = trustme.CA()
    issued = authority.issue_cert("mail.example.com")
    issued.private_key_and_cert_chain_pem.write_to_path(tmp_path / "web.pem")
    door = f'[[listen]]\nkind = "web"\naddress = "127.0.0.1:8443"\ntls = "implicit"\ncertificate_file = "{tmp_path}/web.pem"\n'
    answer = ask(api_of(tmp_path, door), "/email.mobileconfig?address=ann@example.com")
    from cryptography.hazmat.primitives.serialization.pkcs7 import load_der_pkcs7_certificates

    assert any("mail.example.com" in str(each.extensions) for each in load_der_pkcs7_certificates(answer.content))
    assert b"com.apple.mail.managed" in answer.content


def test_without_doors_for_users_there_is_nothing_to_find(tmp_path: Path) -> None:
    bare = Api(tmp_path, '[[domain]]\nname = "example.com"\nvia = "local"')
    assert ask(bare, "/mail/config-v1.1.xml?emailaddress=a@example.com").status_code == 404
