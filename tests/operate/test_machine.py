"""The service and sendmail on a machine, below a directory that stands for its root; ``systemctl`` is a program that notes its words."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mailer.config.secret import keeper_of
from mailer.mail.problem import Problem
from mailer.operate import machine as module
from mailer.operate.machine import Sendmail, SystemService, make_place, put_aside, usable_aliases
from tests.fakes.processes import which
from tests.fakes.users import public_directory

UNIT = (Path(__file__).parents[2] / "packaging/systemd/mailer.service").read_text()


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What ``systemctl``, ``update-alternatives`` and ``dpkg-divert`` were told, a line each."""
    programs, notes = tmp_path / "programs", tmp_path / "told"
    programs.mkdir()
    for name in ("systemctl", "update-alternatives"):
        (programs / name).write_text(f'#!/bin/sh\necho "{name} $*" >> {notes}\n')
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    return notes


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The root of a machine on which systemd runs."""
    (tmp_path / "root/run/systemd/system").mkdir(parents=True)
    return tmp_path / "root"


def service(root: Path, program: str = "/opt/mailer/bin/mailer") -> SystemService:
    return SystemService([program], "/etc/mailer/config.toml", root=str(root))


def test_a_service_of_the_machine(root: Path, told: Path) -> None:
    """The unit of the source, for the program where it is; it is enabled, and started anew."""
    made = service(root)
    made.check()
    wrote, _ = made.install()
    assert wrote == f"wrote {root}/etc/systemd/system/mailer.service"
    text = (root / "etc/systemd/system/mailer.service").read_text()
    start = "ExecStart=/opt/mailer/bin/mailer run --config /etc/mailer/config.toml"
    assert start in text
    assert text.replace(start, "ExecStart=mailer run --config /etc/mailer/config.toml") == UNIT
    assert told.read_text().splitlines() == [
        "systemctl daemon-reload", "systemctl enable mailer.service", "systemctl restart mailer.service",
    ]  # fmt: skip


@pytest.mark.parametrize("place", ["usr/lib/systemd/system", "etc/systemd/system"])
def test_a_unit_that_is_there(root: Path, told: Path, place: str) -> None:
    """It is started as it is: a package, or somebody, has written it."""
    (root / place).mkdir(parents=True)
    (root / place / "mailer.service").write_text("# ours\n")
    made = service(root, "/home/anna/mailer")
    made.check()
    (line,) = made.install()
    assert "systemctl status mailer" in line
    assert (root / place / "mailer.service").read_text() == "# ours\n"
    assert not (place.startswith("usr") and (root / "etc").exists())


def test_where_no_service_can_be(root: Path, tmp_path: Path) -> None:
    """A program that the sandbox hides, and a machine without systemd: said before anything is written."""
    for program in ("/home/anna/.venv/bin/mailer", "/root/mailer"):
        with pytest.raises(Problem, match="/opt or /usr/local"):
            service(root, program).check()
    with pytest.raises(Problem, match="systemd does not run here"):
        service(tmp_path).check()
    assert not (root / "etc").exists()


def test_a_program_whose_interpreter_the_service_cannot_start(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a link, or in the first line of the script; and where a directory lets no stranger pass."""
    monkeypatch.setattr(module, "HIDDEN", ("/root/",))  # a test lies in /tmp
    with public_directory() as place:
        script, link, closed = place / "mailer", place / "link", place / "closed"
        script.write_text("#!/root/.local/share/uv/python/bin/python3\n")
        with pytest.raises(
            Problem, match=r"cannot see /root/\.local/share/uv/python/bin/python3: install mailer, and the Python that runs it"
        ):
            service(root, str(script)).check()
        link.symlink_to("/root/bin/mailer")
        with pytest.raises(Problem, match="cannot see /root/bin/mailer"):
            service(root, str(link)).check()
        closed.mkdir(0o700)
        (closed / "mailer").write_text("#!/bin/sh\n")
        with pytest.raises(Problem, match="closed/mailer"):
            service(root, str(closed / "mailer")).check()
        script.write_text("#!/bin/sh\n")
        service(root, str(script)).check()


def test_a_service_that_others_call_at_port_25(root: Path) -> None:
    """It may open the port, and write where mailboxes are; said once, and in a file beside the unit."""
    made = service(root)
    (said,) = made.permit(["/srv/mail"])
    path = root / "etc/systemd/system/mailer.service.d/receiving.conf"
    assert said == f"wrote {path}: the service may open port 25 and write /srv/mail"
    assert "AmbientCapabilities=CAP_NET_BIND_SERVICE\nReadWritePaths=-/srv/mail\n" in path.read_text()
    assert [*made.permit(["/srv/mail"])] == []
    assert len([*made.permit([])]) == 1
    path.unlink()
    path.mkdir()
    with pytest.raises(Problem, match="cannot read"):
        [*made.permit([])]


def test_systemd_refuses(root: Path, told: Path, tmp_path: Path) -> None:
    """Its own words are told, with what was asked of it."""
    (tmp_path / "programs/systemctl").write_text("#!/bin/sh\necho Failed to connect to bus >&2\nexit 1\n")
    with pytest.raises(Problem, match="`systemctl daemon-reload` failed: Failed to connect to bus"):
        [*service(root).install()]


def test_a_service_of_a_user(told: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its unit is in his home, and is one that systemd reads; where no manager of his runs, there is none."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    made = SystemService(["/home/anna/bin/mailer"], "/home/anna/.config/mailer/config.toml", user=True)
    assert not made.possible
    (tmp_path / "systemd").mkdir()
    (tmp_path / "systemd/private").touch()
    assert made.possible
    lines = [*made.install()]
    assert "enable-linger" in lines[-1]
    text = (tmp_path / "config/systemd/user/mailer.service").read_text()
    assert "ExecStart=/home/anna/bin/mailer run --config /home/anna/.config/mailer/config.toml\n" in text
    assert "WantedBy=default.target" in text
    assert "systemctl --user enable mailer.service" in told.read_text()


def test_aliases_that_are_known(tmp_path: Path) -> None:
    """A file that leads to addresses is used; one with commands would refuse mail that the operator can have."""
    path = tmp_path / "aliases"
    assert usable_aliases(str(path)) == ""
    path.write_text("# names\npostmaster: root\nteam: a@example.com, b@example.com\nnobody: /dev/null\n")
    assert usable_aliases(str(path)) == str(path)
    for target in ('"|/usr/bin/vacation"', "/var/mail/x", ":include:/etc/list"):
        path.write_text(f"x: {target}\n")
        assert usable_aliases(str(path)) == ""


@pytest.mark.peer("systemd-analyze")
def test_the_unit_of_a_user_is_one(told: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """systemd finds nothing wrong in it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    made = SystemService([sys.executable], "/etc/mailer/config.toml", user=True)
    [*made.install()]
    verified = subprocess.run([which("systemd-analyze"), "verify", "--man=no", made.path], capture_output=True, text=True, timeout=60)
    assert (verified.returncode, "mailer.service" in verified.stderr) == (0, False), verified.stderr


# Sendmail


def sendmail(prefix: Path) -> Sendmail:
    return Sendmail(prefix, sys.executable, sys.path)


def test_whose_sendmail_it_is(tmp_path: Path) -> None:
    """Ours by its mark, or by where a package of ours keeps it; what merely has such a name is another's."""
    made = sendmail(tmp_path)
    assert (made.ours, made.foreign) == (False, [])
    [*made.install()]
    assert (made.ours, made.foreign) == (True, [])
    for directory, ours in (("lib/mailer", True), ("lib/nullmailer", False)):
        program = tmp_path / directory / "sendmail"
        program.parent.mkdir(parents=True)
        program.write_text("#!/bin/sh\n")
        made.program.unlink()
        made.program.symlink_to(program)
        assert made.ours == ours


@pytest.mark.slow
def test_a_foreign_sendmail_is_put_aside(tmp_path: Path) -> None:
    """Whatever it is, file or link; and never over what was put aside before."""
    made = sendmail(tmp_path)
    (tmp_path / "sbin").mkdir()
    (tmp_path / "bin").mkdir()
    (tmp_path / "sbin/sendmail").write_text("#!/bin/sh\n")
    (tmp_path / "bin/mailq").symlink_to("nowhere")
    assert made.foreign == [tmp_path / "sbin/sendmail", tmp_path / "bin/mailq"]
    [*made.install()]
    assert (tmp_path / "sbin/sendmail.before-mailer").read_text() == "#!/bin/sh\n"
    assert (tmp_path / "bin/mailq.before-mailer").is_symlink()
    assert made.ours
    with pytest.raises(Problem, match="is there already"):
        [*put_aside(tmp_path / "sbin/sendmail")]


def test_an_alternative(tmp_path: Path, told: Path) -> None:
    """Where alternatives decide, ours becomes one of them, with mailq beside it, and is chosen; nothing is put aside."""
    (tmp_path / "sbin").mkdir()
    (tmp_path / "bin").mkdir()
    (tmp_path / "sbin/sendmail").symlink_to("/etc/alternatives/mta")
    (tmp_path / "bin/mailq").symlink_to("/etc/alternatives/mta-mailq")
    made = sendmail(tmp_path)
    assert made.alternative == "mta"
    [*made.install()]
    install, choose = told.read_text().splitlines()
    own = f"{tmp_path}/local"
    assert install == (
        f"update-alternatives --install {tmp_path}/sbin/sendmail mta {own}/sbin/sendmail 90"
        f" --slave {tmp_path}/bin/mailq mta-mailq {own}/bin/mailq"
    )
    assert choose == f"update-alternatives --set mta {own}/sbin/sendmail"
    assert (tmp_path / "sbin/sendmail").is_symlink()


def test_the_real_alternatives(tmp_path: Path) -> None:
    """What it is told is what the program of Debian takes: the link leads to ours."""
    if not Path("/usr/bin/update-alternatives").exists():
        pytest.skip("there is no update-alternatives")
    link, kept, state = tmp_path / "sendmail", tmp_path / "alternatives", tmp_path / "state"
    kept.mkdir()
    state.mkdir()
    program = tmp_path / "ours"
    program.write_text("#!/bin/sh\n")
    words = ["update-alternatives", "--altdir", kept, "--admindir", state, "--log", tmp_path / "log"]
    subprocess.run([*words, "--install", link, "mta", program, "90"], check=True, capture_output=True)
    subprocess.run([*words, "--set", "mta", program], check=True, capture_output=True)
    assert link.resolve() == program


def test_a_place_that_is_there_stays(tmp_path: Path) -> None:
    """It is made once, for others to pass through."""
    place = tmp_path / "spool"
    owner = keeper_of(str(place))
    assert [*make_place(str(place), owner)] == [f"made {place}, of {owner.name}"]
    assert place.stat().st_mode & 0o777 == 0o711
    place.chmod(0o700)
    assert [*make_place(str(place), owner)] == []
    assert place.stat().st_mode & 0o777 == 0o700
