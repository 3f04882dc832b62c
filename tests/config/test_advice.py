from __future__ import annotations

import os
from pathlib import Path

import pytest

from mailer.config import Config, load
from mailer.config.advice import missing, warnings
from mailer.config.file import Mistake, config_of

RELAY = '[mailer]\nhostname = "a.example"\n[relay.out]\nhost = "h.example"\n'


def read(text: str, path: str = "") -> Config:
    return config_of(path, text.encode())


def test_secrets_have_to_be_readable(tmp_path: Path) -> None:
    """A password file that is missing or open to others is found before mail waits for it."""
    path = tmp_path / "s"
    config = read(f'{RELAY}username = "me"\npassword_file = "{path}"\n')
    assert list(missing(config)) == [Mistake(6, f"cannot read the password file {path}: No such file or directory")]
    path.write_text("hunter2")
    path.chmod(0o644)
    (problem,) = missing(config)
    assert problem == Mistake(6, f"others can read the password file {path}; run: chmod 600 {path}")
    path.chmod(0o600)
    assert not list(missing(config))


@pytest.mark.parametrize(
    ("more", "maker"), [("", "mailer hooks rotate shop makes it"), ('format = "listmonk"', "write user:password into it, mode 0600")]
)
def test_the_secret_of_a_webhook_has_to_be_there(more: str, maker: str, tmp_path: Path) -> None:
    """The line says what makes it."""
    hook = f'[[webhook]]\nname = "shop"\nurl = "https://app.example.com/x"\nsecret_file = "{tmp_path}/none"\n{more}\n'
    told = f"cannot read the secret file {tmp_path}/none: No such file or directory; {maker}"
    assert list(missing(read(f"{RELAY}{hook}"))) == [Mistake(8, told)]


def test_the_master_key_has_to_be_there(tmp_path: Path) -> None:
    """Where the mailboxes are, wherever that is: a lost one is put back, and only who never had one makes it."""
    config = read(f'[mailer]\nhostname = "a.example"\nspool = "{tmp_path}"\n[mailboxes]\nencryption = "age"\n')
    [mistake] = missing(config)
    assert mistake.text.startswith(f"encryption needs a master key, and {config.mailboxes_path}/keys has none: put it back, or ")
    keys = Path(config.mailboxes_path, "keys")
    keys.mkdir(parents=True)
    (keys / "1.key").touch()
    assert not list(missing(config))


def test_the_passwords_of_databases_have_to_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each place for mailboxes; and the library that asks them."""
    database = f'database = "postgresql://m@h/x"\ndatabase_password_file = "{tmp_path}/none"\n'
    config = read(f'{RELAY}[mailboxes]\n{database}[[mailbox_store]]\nname = "a"\n{database}')
    told = f"cannot read the password file {tmp_path}/none: No such file or directory"
    assert list(missing(config)) == [Mistake(7, told), Mistake(11, told)]
    (tmp_path / "none").touch(0o600)
    (tmp_path / "none").write_text("sesame")
    assert not list(missing(config))
    monkeypatch.setattr("mailer.config.advice.find_spec", lambda name: None if name == "psycopg" else True)
    assert [(each.line, "database needs the extra cluster" in each.text) for each in missing(config)] == [(6, True), (10, True)]


def test_certificate_files_have_to_be_there(tmp_path: Path) -> None:
    """Without them no connection would be trusted."""
    path = tmp_path / "ca.pem"
    config = read(f'{RELAY}ca_file = "{path}"\n[tls]\nca_file = "{path}"\n')
    assert [problem.line for problem in missing(config)] == [5, 7]
    path.touch()
    assert not list(missing(config))


def test_the_program_that_is_told_of_alarms_has_to_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its path, or on PATH; and the daemon's user has to be allowed to run it."""
    program = tmp_path / "page-me"

    def said(name: str) -> list[tuple[int, str]]:
        return [(each.line, each.text) for each in missing(read(f'{RELAY}[alarm]\ncommand = "{name} --urgent"\n'))]

    assert said(str(program)) == [(6, f"alarm.command: {program} is not there, so nobody hears of an alarm by it")]
    program.touch(0o644)
    ((line, text),) = said(str(program))
    assert (line, f"{program} may not be run by " in text, "chmod a+rx" in text) == (6, True, True)
    program.chmod(0o755)
    assert said(str(program)) == []
    monkeypatch.setenv("PATH", str(tmp_path))
    assert said("page-me") == []
    ((_, text),) = said("page-you")
    assert "page-you is not there" in text


def test_the_spool_has_to_be_one_that_the_daemon_can_work_in(tmp_path: Path) -> None:
    """Not a file, nor below a directory where it cannot be made, nor with directories of somebody else; each says what to do."""
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere; tests/cli/test_config.py asks as root for another")
    spool = tmp_path / "closed" / "spool"
    config = read(f'[mailer]\nhostname = "a.example"\nspool = "{spool}"\n')
    spool.parent.mkdir()
    assert not list(missing(config))
    spool.parent.chmod(0o500)
    (problem,) = missing(config)
    assert (problem.line, f"install -d -m 0711 -o {os.geteuid()} -g {os.getegid()} {spool}" in problem.text) == (3, True)


def test_who_lets_others_hand_in_says_where(tmp_path: Path) -> None:
    """What is the default for the daemon is another place for each user."""
    (problem,) = warnings(read(f"{RELAY}[intake]\nenabled = true\n"))
    assert (problem.line, 'write spool = "/var/spool/mailer"' in problem.text) == (6, True)
    assert not list(warnings(read(f"{RELAY}[intake]\nenabled = true\n".replace("[relay.out]", f'spool = "{tmp_path}"\n[relay.out]'))))


def test_what_may_surprise(tmp_path: Path) -> None:
    """Each warning stands at its line; a plain configuration has none."""
    assert not list(warnings(read(RELAY)))
    text = RELAY.replace("a.example", "a") + 'tls = "opportunistic"\nusername = "me"\npassword_env = "P"\n'
    text += '[delivery]\nallow_private = true\n[[route]]\nmatch = "*"\nvia = ["mx"]\n'
    path = tmp_path / "c.toml"
    path.write_text(text)
    path.chmod(0o664)
    found = list(warnings(read(text, str(path))))
    assert [problem.line for problem in found] == [2, 4, 7, 5, 9, 0]
    assert found[2].text == "the environment variable P is not set here; the daemon needs it in its own environment"
    assert "has no domain" in found[0].text
    assert found[1].text == "no route uses the relay out"
    assert found[-1].text == f"others can write this file; run: chmod go-w {path}"


def test_aliases_that_lead_nowhere(tmp_path: Path) -> None:
    """Commands and files, names without a domain, nobody at all, loops, a file that is not there; each is told once, and costs no mail."""
    aliases = tmp_path / "aliases"
    aliases.write_text("root: anna@example.com\nrun: |/bin/x\nloop: again\nplain: nowhere\nself: self, b@example.com\n")
    path = tmp_path / "c.toml"
    listed = 'again = "loop"\nx = ["c@example.com", "c@@", "/f", "run"]\ny = []\n'
    path.write_text(f'[submission]\naliases_file = "{aliases}"\n[submission.aliases]\n{listed}')
    found = [(problem.line, problem.text) for problem in missing(load(str(path)))]
    assert [line for line, _ in found] == [3, 3, 3, 3, 3, 2, 2, 2]
    text = "\n".join(text for _, text in found)
    for words in (
        f"{aliases}:2: the alias run leads to a command", "again leads back to itself", "loop leads back to itself",
        "the alias plain leads nowhere: 'nowhere' is not an address: it has no domain", "the alias self leads nowhere",
        "submission.aliases: the alias x leads nowhere: 'c@@' is not an address", "the alias x leads to a file",
        "submission.aliases: the alias y stands for nobody",
    ):  # fmt: skip
        assert words in text
    assert len({text for _, text in found}) == 8
    aliases.unlink()
    unread = f"cannot read the aliases in {aliases}: No such file or directory"
    assert [problem.text == unread for problem in missing(load(str(path)))] == [True, False, False, False]


def test_the_place_of_mailboxes_has_to_be_there(tmp_path: Path) -> None:
    """Or it can be made by a daemon that starts; and the secret of forwarding is for its owner alone."""
    domain = f'[[domain]]\nname = "example.com"\nvia = "maildir:{tmp_path}/mail/{{domain}}/{{user}}"\n'
    secret = tmp_path / "srs.secret"
    config = read(f'{RELAY}{domain}[forwarding]\nsecret_file = "{secret}"\n')
    assert not list(missing(config))
    (tmp_path / "mail").touch()
    text = f"via: no mailbox can be made in {tmp_path}/mail; make it, for the user that the daemon runs as"
    assert list(missing(config)) == [Mistake(7, text)]
    (tmp_path / "mail").unlink()
    secret.write_text("0123456789abcdef\n")
    secret.chmod(0o644)
    assert list(missing(config)) == [Mistake(9, f"others can read the file of SRS secrets {secret}; run: chmod 600 {secret}")]


def test_aliases_of_a_domain_have_to_be_read_whole(tmp_path: Path) -> None:
    """A file that is not there, and a line of it that is no alias."""
    path = tmp_path / "aliases"
    config = read(f'{RELAY}[[domain]]\nname = "example.com"\naliases_file = "{path}"\n')
    assert list(missing(config)) == [Mistake(7, f"cannot read the aliases in {path}: No such file or directory")]
    path.write_text("sales: ann\ninfo\n")
    assert list(missing(config)) == [Mistake(7, f"{path}:2: this is no alias; write name: address, address")]
    path.write_text("sales: ann\n")
    assert not list(missing(config))
