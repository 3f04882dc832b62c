"""Aliases: who stands behind a name, and what may never stand there."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mail.problem import Problem
from mailer.rewriting.aliases import Aliases, read, refusal

FILE = """\
# comment
postmaster: root
Root:   anna@example.com,
\tbob@example.com   ,
  # between

  "carol smith"@example.com
nobody: /dev/null
run:"|/usr/bin/vacation anna"
list: :include:/etc/list
back: \\back, far@example.com
"odd: name": x@example.com
empty:
this is none
"""


def found(path: Path, text: str) -> dict[str, list[str]]:
    path.write_bytes(text.encode())
    return {name: [*alias.targets] for name, alias in read(str(path))}


def test_a_file_in_the_form_of_aliases(tmp_path: Path) -> None:
    """Names in any case, lists over several lines, comments, quotes; a line that is none says nothing."""
    assert found(tmp_path / "aliases", FILE) == {
        "postmaster": ["root"],
        "root": ["anna@example.com", "bob@example.com", "carol smith@example.com"],
        "nobody": ["/dev/null"],
        "run": ["|/usr/bin/vacation anna"],
        "list": [":include:/etc/list"],
        "back": ["\\back", "far@example.com"],
        "odd: name": ["x@example.com"],
    }


def test_each_alias_knows_its_line(tmp_path: Path) -> None:
    """For the error, and for whoever asks why."""
    (tmp_path / "aliases").write_text(FILE)
    aliases = Aliases((), str(tmp_path / "aliases"))
    for name, line in (("root", 3), ("nobody", 8), ("run", 9)):
        alias = aliases.get(name, local=True)
        assert alias is not None
        assert alias.where == f"{tmp_path}/aliases:{line}"


def test_the_configuration_goes_before_the_file(tmp_path: Path) -> None:
    """And only names of this machine are looked up in the file."""
    (tmp_path / "aliases").write_text("root: file@example.com\nother: file@example.com\nx@example.com: y@example.com\n")
    aliases = Aliases((("root", ("config@example.com",)),), str(tmp_path / "aliases"))
    for name, local, targets in (
        ("root", True, ["config@example.com"]), ("other", True, ["file@example.com"]), ("x@example.com", False, None),
    ):  # fmt: skip
        alias = aliases.get(name, local=local)
        assert (alias.targets if alias else None) == targets


def test_the_file_is_not_read_before_it_is_needed(tmp_path: Path) -> None:
    """Mail to people elsewhere does not even open it; one that cannot be read is said when it matters."""
    aliases = Aliases((("root", ("a@example.com",)),), str(tmp_path / "none"))
    assert aliases.get("root", local=True)
    assert aliases.get("a@example.com", local=False) is None
    with pytest.raises(Problem, match=r"cannot read the aliases in .*none: No such file") as caught:
        aliases.get("other", local=True)
    assert caught.value.kind == "bad-config"


def test_what_mail_cannot_follow_is_found(tmp_path: Path) -> None:
    """Commands, files, lists in files, and what is no address."""
    (tmp_path / "aliases").write_text(FILE + "file: /dev/null/x\nbad: a b c\n")
    found = [(name, why) for name, alias in read(str(tmp_path / "aliases")) for target in alias.targets if (why := refusal(target))]
    assert [(name, why[:25]) for name, why in found] == [
        ("root", "leads nowhere: 'carol smi"),
        ("run", "leads to a command, and m"),
        ("list", "leads to a list in a file"),
        ("file", "leads to a file, and mail"),
        ("bad", "leads nowhere: 'a b c' is"),
    ]
    assert refusal("") == "stands for nobody"


def test_a_file_that_is_no_file_of_aliases(tmp_path: Path) -> None:
    """A directory, and bytes of any kind: one error class, or nothing."""
    with pytest.raises(Problem, match="Is a directory"):
        list(read(str(tmp_path)))


@given(st.lists(st.sampled_from(["a", ":", ",", '"', "\\", "\n", " ", "\t", "#", "|x", "b@c", "\xff"])).map("".join))
def test_any_file_can_be_read(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Whatever it holds: names that are not empty, and targets."""
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(text.encode("latin-1"))
    for name, alias in read(str(path)):
        assert name
        assert alias.targets
        list(map(refusal, alias.targets))
