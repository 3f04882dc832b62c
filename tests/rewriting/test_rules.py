"""Who is who: the rules, and their order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mailer.config import values
from mailer.config.sections import SubmissionSettings
from mailer.mail.address import AddressError
from mailer.rewriting import Rules
from tests.fakes.nameplate import Nameplate


def rules(user: str = "www-data", **found: Any) -> Rules:
    return Rules(SubmissionSettings(**{"spool": "/none", "hostname": "host.example", **found}), lambda: user)


ALIASES = (
    ("root", ("anna@example.com", "ops")),
    ("ops", ("bob@example.com", "anna@example.com")),
    ("old@example.com", ("new@example.com",)),
    ("self", ("self", "copy@example.com")),
    ("kept", ("\\kept",)),
    ("mailbox", ("\\root",)),
)


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("root", ["anna@example.com", "bob@example.com"]), ("ROOT", ["anna@example.com", "bob@example.com"]),
        ("root@localhost", ["anna@example.com", "bob@example.com"]), ("root@HOST.example", ["anna@example.com", "bob@example.com"]),
        ("root@example.com", ["root@example.com"]), ("Old@Example.com", ["new@example.com"]),
        ("self", ["self@example.org", "copy@example.com"]), ("kept", ["kept@example.org"]), ("mailbox", ["root@example.org"]),
        ("carol", ["carol@example.org"]),
        ("dave@example.net", ["dave@example.net"]), ("<root>", ["anna@example.com", "bob@example.com"]),
    ],
)  # fmt: skip
def test_who_gets_mail(text: str, addresses: list[str]) -> None:
    """Aliases of this machine's names and of whole addresses, lists within lists, each address once; what has none gets a domain."""
    assert rules(aliases=ALIASES, default_domain="example.org").recipient(text).addresses == addresses


HOSTS = "127.0.0.1 localhost.localdomain localhost\n127.0.1.1 web1.example.net web1\n"
NAMES = ("host.example", "host", "web1", "WEB1", "localhost", "localhost.localdomain", "web1.localdomain", "web1.example.net")


@pytest.mark.parametrize("name", NAMES)
def test_every_name_of_this_machine_is_one(name: str, nameplate: Callable[..., Nameplate]) -> None:
    """Aliases and authors are found by all of them, for programs write mail from and to any."""
    nameplate("web1", HOSTS)
    some = rules(aliases=(("root", ("anna@example.com",)),), authors=(("*", "Web <web@example.com>"),))
    assert some.recipient(f"root@{name}").addresses == ["anna@example.com"]
    assert some.author(f"root@{name}").addresses == ["web@example.com"]


@pytest.mark.parametrize("name", NAMES[1:-1])
def test_a_name_that_is_none_to_the_world_never_leaves(name: str, nameplate: Callable[..., Nameplate]) -> None:
    """An author at root@web1 is one at the default domain, or at the hostname: other servers refuse him else, and his reports."""
    nameplate("web1", HOSTS)
    assert rules(masquerade=("example.org",)).author(f"root@{name}").addresses == ["root@host.example"]
    found = rules(default_domain="example.com").author(f"root@{name}")
    assert (found.addresses, found.why) == (["root@example.com"], "submission.default_domain")
    assert rules(default_domain="example.com").recipient(f"pi@{name}").addresses == ["pi@example.com"]


@pytest.mark.parametrize("address", ["root@web1.example.net", "root@host.example", "root@web2", "root@printer.local", "root@[127.0.0.1]"])
def test_other_names_stay(address: str, nameplate: Callable[..., Nameplate]) -> None:
    """A name that the world may know, and one of another machine of the house, stays as it was written."""
    nameplate("web1", HOSTS)
    some = rules(default_domain="example.com")
    assert some.author(address).addresses == some.recipient(address).addresses == [address]


def test_a_machine_that_knows_no_better_name(nameplate: Callable[..., Nameplate]) -> None:
    """Nothing is changed, and nothing is said to be, where the hostname has no domain either."""
    nameplate("web1")
    found = rules(hostname="web1", masquerade=("example.com",)).author("root@web1")
    assert (found.addresses, found.why) == (["root@web1"], "")


def test_every_other_name() -> None:
    """``*`` takes the names of this machine that have no alias, whatever they are, and nobody else's."""
    everybody = rules(aliases=(("root", ("anna@example.com",)), ("*", ("root",))))
    assert everybody.recipient("nobody-knows").addresses == ["anna@example.com"]
    assert everybody.recipient("x@localhost").addresses == ["anna@example.com"]
    assert everybody.recipient("x@example.net").addresses == ["x@example.net"]
    (problem,) = rules(aliases=(("*", ("admin",)),)).recipient("x").problems
    assert "no domain" in str(problem)


def test_a_name_without_a_rule_is_refused() -> None:
    """No domain that nobody chose is put behind it, neither the host's nor anybody's."""
    for some in (rules(aliases=ALIASES), rules(aliases=ALIASES, masquerade=("example.com",)), rules(authors=(("*", "a@example.com"),))):
        with pytest.raises(AddressError, match="'pi' is not an address: it has no domain"):
            some.recipient("pi")


@pytest.mark.parametrize(
    ("aliases", "text"),
    [
        ((("a", ("b",)), ("b", ("a",))), "a → b → a"),
        ((("a", ("b",)), ("b", ("c", "x@example.com")), ("c", ("a",))), "a → b → c → a"),
        ((("a", ("|run",)),), "the alias a leads to a command"),
        ((("a", (":include:/x",)),), "the alias a leads to a list in a file"),
    ],
)
def test_aliases_that_lead_nowhere(aliases: Any, text: str) -> None:
    """A mistake of the configuration, which is named; nothing loops."""
    (problem,) = rules(aliases=aliases, default_domain="example.com").recipient("a").problems
    assert text in str(problem)
    assert problem.kind == "bad-config"


def test_a_tree_of_aliases_is_followed_once() -> None:
    """Two to the thirtieth ways lead to one address."""
    aliases = tuple((f"a{nth}", (f"a{nth + 1}", f"a{nth + 1}")) for nth in range(30))
    assert rules(aliases=(*aliases, ("a30", ("x@example.com",)))).recipient("a0").addresses == ["x@example.com"]


def test_why() -> None:
    """Each rule that had its part is named."""
    some = rules(aliases=ALIASES, default_domain="example.org")
    assert some.recipient("root").why == "alias root, submission.aliases; alias ops, submission.aliases"
    assert some.recipient("self").why == "alias self, submission.aliases; submission.default_domain"
    assert some.recipient("x@example.com").why == ""
    assert some.author("www-data").why == "submission.default_domain"
    assert rules().author("www-data").why == "mailer.hostname"


@pytest.mark.parametrize(
    ("text", "author"),
    [
        ("www-data", "shop@example.com"), ("root", "shop@example.com"), ("x@localhost", "shop@example.com"),
        ("x@host.example", "shop@example.com"), ("me@example.net", "me@example.net"), ("shop@example.com", "shop@example.com"),
    ],
)  # fmt: skip
def test_the_author_of_a_user(text: str, author: str) -> None:
    """Who is an author of this machine becomes the one that the user has; who is one of another stays."""
    found = rules(authors=(("www-data", "Our shop <shop@example.com>"), ("*", "rest@example.com")), default_domain="example.org").author(
        text
    )
    assert found.addresses == [author]
    assert (found.author == "Our shop <shop@example.com>") == bool(found.why)


def test_users_without_an_author_of_their_own() -> None:
    """``*`` is theirs; without it they keep their names."""
    assert rules("cron", authors=(("www-data", "a@example.com"), ("*", "b@example.com"))).author("root").addresses == ["b@example.com"]
    assert rules("cron", authors=(("www-data", "a@example.com"),)).author("root").addresses == ["root@host.example"]


def test_a_provider_that_takes_one_author_only() -> None:
    """With replace_every_author all others are replaced too; where answers go is not."""
    one = rules(authors=(("*", "me@example.com"),), replace_every_author=True)
    assert one.author("else@example.net").addresses == ["me@example.com"]
    assert one.author("else@example.net", replace=False).addresses == ["else@example.net"]
    assert one.author("root", replace=False).addresses == ["me@example.com"]


@pytest.mark.parametrize(
    ("text", "author"),
    [
        ("a@x.example.com", "a@example.com"), ("a@y.x.Example.com", "a@example.com"), ("a@example.com", "a@example.com"),
        ("a@notexample.com", "a@notexample.com"), ("a@b.sub.example.com", "a@sub.example.com"),
        ("ROOT@x.example.com", "ROOT@x.example.com"),
        ("a@lists.example.com", "a@lists.example.com"), ("a@x.lists.example.com", "a@x.lists.example.com"),
        ("me@y.example.com", "me@y.example.com"),
    ],
)  # fmt: skip
def test_masquerading(text: str, author: str) -> None:
    """A host below a domain is that domain, the nearest one; users, addresses and domains can keep theirs."""
    some = rules(masquerade=("example.com", "sub.example.com"), masquerade_except=("root", "lists.example.com", "me@y.example.com"))
    assert some.author(text).addresses == [author]


def test_a_domain_is_the_same_in_either_labels() -> None:
    """U-labels and A-labels, in the settings and in the address, before the @ whatever it is."""
    found = values.domains(["bücher.example"]), values.kept(["Lists.Bücher.example", "me@x.bücher.example"])
    some = rules(masquerade=found[0], masquerade_except=found[1], aliases=values.aliases({"jürgen@Bücher.example": "j@example.com"}))
    for domain in ("bücher.example", "xn--bcher-kva.example"):
        assert some.author(f"a@x.{domain}").addresses == ["a@xn--bcher-kva.example"]
        assert some.author(f"a@lists.{domain}").addresses == ["a@lists.xn--bcher-kva.example"]
        assert some.author(f"me@x.{domain}").addresses == ["me@x.xn--bcher-kva.example"]
        assert some.recipient(f"jürgen@{domain}").addresses == ["j@example.com"]
        here = rules(hostname="xn--bcher-kva.example", aliases=(("root", ("anna@example.com",)),))
        assert here.recipient(f"root@{domain}").addresses == ["anna@example.com"]


def test_recipients_are_not_masqueraded() -> None:
    """Their mail would go to somebody else."""
    assert rules(masquerade=("example.com",)).recipient("a@x.example.com").addresses == ["a@x.example.com"]


def test_a_name_is_completed_before_it_is_masqueraded() -> None:
    """The host's name is below the domain, too."""
    assert rules(hostname="ws1.example.com", masquerade=("example.com",)).author("anna").addresses == ["anna@example.com"]
