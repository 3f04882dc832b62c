"""``mailer suppress``: who is not to be mailed."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.operate.suppression import GROUPS
from tests.cli.home import Home
from tests.cli.terminal import Shell
from tests.status.office import Office

ANN, BOB = "ann@example.org", "bob@example.org"


def test_an_address_is_added_explained_and_removed(shell: Shell) -> None:
    """Each answer says what can be done next."""
    said = shell("suppress", "add", "Ann@Example.ORG", "@example.com", "--note", "asked by phone")
    assert (said.code, said.lines) == (
        0,
        [f"{ANN} is on the list for all mail (manual)", "@example.com is on the list for all mail (manual)"],
    )
    assert said.err == "mailer: `mailer suppress undo 1` puts back what was before\n"
    why = shell("suppress", "why", ANN)
    assert why.code == 0
    assert why.lines[0].startswith(f"{ANN} is not mailed: by hand, asked by phone, since ")
    domain = shell("suppress", "why", "x@example.com")
    assert (domain.code, domain.lines[0].partition(":")[0]) == (0, "x@example.com is not mailed, as all of @example.com")
    assert (shell("suppress", "why", BOB).code, shell("suppress", "why", BOB).lines[0]) == (67, f"{BOB} is mailed.")
    assert shell("suppress", "remove", ANN).lines == [f"{ANN} is off the list for all mail (manual)"]
    assert shell("suppress", "why", ANN, "-q").code == 67


def test_a_stream_is_one_scope(shell: Shell) -> None:
    shell("suppress", "add", ANN, "--scope", "news", "--reason", "unsubscribe", "--for", "30d")
    assert shell("suppress", "why", ANN, "--scope", "receipts").code == 67
    [entry] = shell("suppress", "list", "--json").objects
    assert (entry["scope"], entry["reason"], entry["source"], entry["by"][:5]) == ("news", "unsubscribe", "command", "unix:")
    assert entry["until"] is not None
    assert shell("suppress", "remove", ANN, "--scope", "receipts").code == 67
    assert shell("suppress", "remove", ANN, "--scope", "news").lines == [f"{ANN} is off the list for mail of news (unsubscribe)"]
    assert shell("suppress", "undo", "2").lines == ["1 entry put back as before"]


def test_an_asterisk_in_an_address_is_a_letter(shell: Shell) -> None:
    """Whoever is called so may unsubscribe, too; taking him off the list takes off nobody else, and explaining him is about him."""
    said = shell("suppress", "add", ANN, BOB, "*@example.org")
    assert "`mailer suppress add @example.org` is for all of a domain" in said.err
    assert shell("suppress", "why", "*@example.org", "--json").objects[0]["entries"][0]["address"] == "*@example.org"
    assert shell("suppress", "remove", "*@example.org").lines == ["*@example.org is off the list for all mail (manual)"]
    assert shell("suppress", "remove", "*@example.org").code == 67
    assert [each["address"] for each in shell("suppress", "list", "--json").objects] == [ANN, BOB]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("add", "nobody"), 64, "user@example.org"),
        (("add", "a@b@@c"), 64, "is not an address"),
        (("add", ANN, "--reason", "whim"), 64, "there is no reason 'whim'"),
        (("add", ANN, "--for", "soon"), 64, "--for"),
        (("add",), 64, "it takes addresses"),
        (("remove", ANN), 67, "is not on the suppression list"),
        (("undo",), 64, "numbers of changes"),
        (("undo", "seven"), 64, "is no number of a change"),
        (("undo", "7"), 67, "there is nothing to undo"),
        (("import", "/nowhere.csv"), 67, "cannot read /nowhere.csv"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(shell: Shell, words: tuple[str, ...], code: int, said: str) -> None:
    """And changes nothing."""
    found = shell("suppress", *words)
    assert (found.code, found.out, found.err.count("\n")) == (code, "", 1), found
    assert said in found.err
    assert shell("suppress", "list", "--json").out == ""


def test_a_dry_run_changes_nothing(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(f"email\n{BOB}\n")
    assert shell("suppress", "add", ANN, "--dry-run").lines == [f"{ANN} would be added for all mail (manual)"]
    assert shell("suppress", "import", f"{tmp_path}/list.csv", "--dry-run").lines == ["1 would be added, 0 there already"]
    assert shell("suppress", "list", "--json").out == ""
    shell("suppress", "add", ANN)
    shell("suppress", "remove", ANN, "-n")
    shell("suppress", "undo", "1", "-n")
    assert len(shell("suppress", "list", "--json").objects) == 1


def test_a_file_is_imported_and_its_bad_rows_are_told(shell: Shell, tmp_path: Path) -> None:
    """All others are added; the second time they are there already. What was imported by mistake is undone."""
    path = tmp_path / "bounces.csv"
    path.write_text(f"email,reason\n{ANN},hard\nnobody,hard\n{BOB},soft\ncy@example.org,spam\n")
    said = shell("suppress", "import", str(path))
    assert (said.code, said.lines) == (65, ["2 added, 0 there already, 1 left out that bounced for the moment only"])
    assert f"{path}:3: " in said.err
    assert shell("suppress", "import", str(path), "--json").objects[0]["already"] == 2
    assert [each["reason"] for each in shell("suppress", "list", "--json").objects] == ["hard", "complaint"]
    assert shell("suppress", "undo", "1").lines == ["2 entries put back as before"]
    assert shell("suppress", "list", "--json").out == ""


def test_what_came_of_a_mistake_is_undone_by_time_reason_and_source(shell: Shell) -> None:
    shell("suppress", "add", ANN, "--reason", "hard")
    shell("suppress", "add", BOB, "--reason", "complaint")
    said = shell("suppress", "undo", "--since", "1h", "--reason", "hard", "--json")
    assert (said.code, said.objects) == (0, [{"change": 3, "undone": [1], "entries": 1, "left": 0}])
    assert [each["address"] for each in shell("suppress", "list", "--json").objects] == [BOB]
    assert [line["change"] for line in shell("suppress", "log", "--json").objects] == [3, 2, 1]


def test_an_export_is_imported_elsewhere(shell: Shell, tmp_path: Path) -> None:
    """With all that was known of each."""
    shell("suppress", "add", ANN, "--scope", "news", "--for", "30d", "--note", 'he said "no", twice')
    shell("suppress", "add", "@example.com")
    before = shell("suppress", "list", "--json").objects
    (tmp_path / "all.csv").write_text(shell("suppress", "export").out, newline="")
    shell("suppress", "remove", ANN, "@example.com")
    shell("suppress", "import", f"{tmp_path}/all.csv")
    assert shell("suppress", "list", "--json").objects == before


def test_a_list_is_chosen_from_like_others(shell: Shell) -> None:
    shell("suppress", "add", ANN, BOB, "x@example.com")
    assert [each["address"] for each in shell("suppress", "list", "*@example.org", "--json").objects] == [ANN, BOB]
    assert [each["address"] for each in shell("suppress", "list", ANN, "--json").objects] == [ANN]
    assert shell("suppress", "list", "--scope", "news").lines == ["Nobody is on the suppression list who is like that."]
    assert shell("suppress", "list", "--limit", "1").err == "mailer: there may be more: --limit 0 shows all\n"


def test_a_list_that_cannot_be_used_is_said_in_one_line(shell: Shell, office: Office) -> None:
    """What stands there is left as it is."""
    path = Path(office.spool.root, "suppress.sqlite3")
    path.write_bytes(b"this is no database, whatever its name says" * 100)
    path.chmod(0o600)
    for words in (("list",), ("add", ANN), ("why", ANN), ("export",)):
        said = shell("suppress", *words)
        assert (said.code, said.err.count("\n")) == (74, 1), said
        assert "is damaged" in said.err
    assert path.read_bytes().startswith(b"this is no database")


def test_a_list_can_be_made_before_there_is_a_spool(home: Home) -> None:
    """And to look at it makes none."""
    assert home.mailer("suppress", "list", "--json").stdout == b""
    assert not Path(home.spool.root).exists()
    assert home.mailer("suppress", "add", ANN).returncode == 0
    assert home.mailer("suppress", "why", ANN, "-q").returncode == 0


def test_it_is_counted_by_what_entries_have_in_common(shell: Shell) -> None:
    """As failures are by ``mailer bounces --by``; the filters hold for that, too."""
    shell("suppress", "add", ANN, "eve@example.org", "--reason", "hard")
    shell("suppress", "add", "zoe@example.net", "--scope", "news")
    counts = {by: [(each[by], each["count"]) for each in shell("suppress", "list", "--by", by, "--json").objects] for by in GROUPS}
    assert counts == {
        "reason": [("hard", 2), ("manual", 1)],
        "class": [("none", 3)],
        "scope": [("*", 2), ("news", 1)],
        "source": [("command", 3)],
        "domain": [("example.org", 2), ("example.net", 1)],
    }
    assert shell("suppress", "list", "--by", "scope", "--reason", "hard").lines == [
        "COUNT  SCOPE  FOR EXAMPLE",
        f"    2  *      {ANN}",
    ]
    assert shell("suppress", "list", "*@nowhere.example", "--by", "reason").lines == ["Nobody is on the suppression list who is like that."]
    assert shell("suppress", "list", "--by", "age").code == 64
