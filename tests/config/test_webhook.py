"""The sections of webhooks: what may be called, and what has to be there."""

from __future__ import annotations

import pytest

from mailer.config.file import config_of
from mailer.config.model import as_lines
from mailer.config.sections.webhook import Webhook
from mailer.mail.problem import Problem

PLAIN = {"name": '"shop"', "url": '"https://app.example.com/events"', "secret_file": '"/etc/mailer/shop.secret"'}


def read(**settings: str) -> Webhook:
    """One section with these settings instead of the plain ones."""
    lines = "".join(f"{key} = {value}\n" for key, value in {**PLAIN, **settings}.items() if value)
    return config_of("c.toml", f"[[webhook]]\n{lines}".encode(), "/s").webhooks[0]


def test_little_has_to_be_said() -> None:
    """A name, where to, and the secret."""
    hook = read()
    assert (str(hook.url), hook.events, hook.stream, hook.format, hook.timeout, hook.private) == (
        "https://app.example.com/events", ("*",), "*", "standard", 10.0, False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"url": '"http://app.example.com/"'}, "it is not encrypted; write https; if the endpoint is your own, write private = true"),
        ({"url": '"https://127.0.0.1/"'}, "nobody outside can reach"),
        ({"url": '"https://localhost/"'}, "localhost is this machine"),
        ({"url": '"https://app.example.com:25/"'}, "port 25 is that of another service"),
        ({"url": '"https://[fe80::1%25eth0]/"'}, "zone"),
        ({"url": '"http://2130706433/"'}, "is no IP address"),
        ({"url": '"https://me:hunter2@app.example.com/"'}, "has no place in a web address"),
        ({"url": '"app.example.com"'}, "is no web address"),
        ({"name": '"../x"'}, "is no name"),
        ({"name": '"-x"'}, "begin it with a letter"),
        ({"name": f'"{"x" * 65}"'}, "up to 64 characters"),
        ({"secret_file": ""}, "secret_file"),
        ({"events": '["sent"]'}, "is none of"),
        ({"events": "[]"}, "the list is empty"),
        ({"format": '"slack"'}, "is none of standard | listmonk"),
        ({"timeout": '"2m"'}, "longer than a minute"),
        ({"secret": '"whsec_x"'}, "secret"),
    ],
)
def test_what_cannot_be_called_or_signed_is_said(settings: dict[str, str], said: str) -> None:
    """With file and line, and no password repeated."""
    with pytest.raises(Problem) as caught:
        read(**settings)
    assert caught.value.kind == "bad-config"
    assert said in str(caught.value)
    assert str(caught.value).startswith("c.toml:")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080/hook", "https://localhost:8443/", "https://[fe80::1%25eth0]/", "https://10.0.0.7:25/"]
)
def test_an_endpoint_of_ones_own_may_be_anywhere(url: str) -> None:
    """And is shown as it was written."""
    assert str(read(url=f'"{url}"', private="true").url) == url


def test_two_of_one_name_would_have_one_place() -> None:
    """Also where the name differs in letters of another size: a file system may not tell them apart."""
    two = "".join(
        f"[[webhook]]\n{''.join(f'{key} = {value}{chr(10)}' for key, value in {**PLAIN, 'name': name}.items())}"
        for name in ('"shop"', '"Shop"')
    )
    with pytest.raises(Problem, match="line 2 has a webhook of this name already"):
        config_of("c.toml", two.encode(), "/s")


def test_what_an_endpoint_wants() -> None:
    """Types and a stream; an alarm is about the mail of all."""
    hook = read(events='["failed", "alarm"]', stream='"shop"')
    assert [hook.wants(*each) for each in (("failed", "shop"), ("failed", ""), ("delivered", "shop"), ("alarm", ""))] == [
        True,
        False,
        False,
        True,
    ]
    assert read().wants("deferred", "any")


def test_it_is_shown_as_it_holds() -> None:
    """`mailer config show` has the address whole, and no secret but its place."""
    config = config_of("c.toml", ("[[webhook]]\n" + "".join(f"{key} = {value}\n" for key, value in PLAIN.items())).encode(), "/s")
    lines = [line.partition("  #")[0].strip() for line in as_lines(config)]
    assert 'url = "https://app.example.com/events"' in lines
    assert 'secret_file = "/etc/mailer/shop.secret"' in lines
