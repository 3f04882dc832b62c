"""Real servers that pass mail on: for here.example to a door of ours, for all else to a host that refuses it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from _pytest.mark import ParameterSet

from tests.fakes.processes import Program, free_port

from .install import CHASQUID as CHASQUIDS
from .install import SENDMAIL as SENDMAIL_TREE
from .install import node
from .matrix import marks
from .npmservers import CONNECTION, LIBRARY, MODULES
from .postfix import Postfix
from .root import Root

EXIM = """\
primary_hostname = exim.example
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
spool_directory = /var/spool/exim4
log_file_path = /var/log/exim.%slog
tls_advertise_hosts =
dsn_advertise_hosts = *
deliver_drop_privilege = true
never_users =
acl_smtp_rcpt = accept_all

begin acl
accept_all:
  accept

begin routers
back:
  driver = manualroute
  domains = here.example
  route_list = * 127.0.0.1
  self = send
  transport = back
onward:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = onward

begin transports
back:
  driver = smtp
  port = {door}
  hosts_try_fastopen =
  allow_localhost
onward:
  driver = smtp
  port = {refuser}
  hosts_try_fastopen =
  allow_localhost

begin retry
* * F,1h,5s
"""

OPENSMTPD = """\
listen on 127.0.0.1 port {port} hostname opensmtpd.example
action back relay host smtp://127.0.0.1:{door}
action onward relay host smtp://127.0.0.1:{refuser}
match from any for domain here.example action back
match from any for any action onward
"""

CHASQUID = """\
hostname: "chasquid.example"
smtp_address: "127.0.0.1:{port}"
submission_address: "127.0.0.1:{submission}"
data_dir: "{home}/data"
mail_log_path: "<stderr>"
mail_delivery_agent_bin: "{home}/deliver"
mail_delivery_agent_args: "%from%"
mail_delivery_agent_args: "%to%"
"""

# Its client of LMTP knows no refusal for good.
DELIVER = """\
#!/bin/sh
case "$2" in *@gone.example) echo "550 5.1.1 <$2>: no mailbox of that name"; exit 67;; esac
exec {lmtp} -addr 127.0.0.1:{door} -f "$1" -d "$2"
"""

# Two mailers of SMTP, for each has its port: esmtp comes to our door, relay to the host that refuses.
SENDMAIL = """\
OSTYPE(`linux')dnl
FEATURE(`no_default_msa')dnl
FEATURE(`nocanonify')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`promiscuous_relay')dnl
FEATURE(`mailertable', `text -k0 -v1 /etc/mail/mailertable')dnl
define(`confDOMAIN_NAME', `sendmail.example')dnl
define(`confDONT_PROBE_INTERFACES', `True')dnl
define(`confSERVICE_SWITCH_FILE', `/etc/mail/service.switch')dnl
define(`confDEF_USER_ID', `mail:mail')dnl
define(`ALIAS_FILE', `')dnl
define(`STATUS_FILE', `')dnl
define(`PROCMAIL_MAILER_PATH', `/bin/false')dnl
define(`ESMTP_MAILER_ARGS', `TCP $h {door}')dnl
define(`RELAY_MAILER_ARGS', `TCP $h {refuser}')dnl
DAEMON_OPTIONS(`Port={port}, Addr=127.0.0.1, Name=MTA')dnl
MAILER(`local')dnl
MAILER(`smtp')dnl
"""


@contextlib.contextmanager
def postfix(home: Path, door: int, refuser: int) -> Iterator[int]:
    """Postfix; its port."""
    table = home / "transport"
    table.write_text(f"here.example smtp:[127.0.0.1]:{door}\ngone.example smtp:[127.0.0.1]:{refuser}\n")
    settings = {"transport_maps": f"texthash:{table}", "smtp_tls_security_level": "none", "smtp_host_lookup": "native"}
    with Postfix(home, settings) as server:
        yield server.port


@contextlib.contextmanager
def exim(home: Path, door: int, refuser: int) -> Iterator[int]:
    """Exim; its port."""
    root, port = Root(home / "root"), free_port()
    root.directory("var/spool/exim4", "Debian-exim")
    root.directory("var/log", "Debian-exim")
    root.write("etc/exim4/exim4.conf", EXIM.format(port=port, door=door, refuser=refuser))
    program = root.start("/usr/sbin/exim4", "-bdf", "-q5s", ports=[port])
    try:
        yield port
    finally:
        root.stop(program)


@contextlib.contextmanager
def opensmtpd(home: Path, door: int, refuser: int) -> Iterator[int]:
    """OpenSMTPD; its port."""
    root, port = Root(home / "root"), free_port()
    root.write("etc/smtpd.conf", OPENSMTPD.format(port=port, door=door, refuser=refuser))
    root.directory("var/lib/opensmtpd/empty")
    program = root.start("/usr/sbin/smtpd", "-d", "-f", "/etc/smtpd.conf", ports=[port])
    try:
        yield port
    finally:
        root.stop(program)


@contextlib.contextmanager
def haraka(home: Path, door: int, refuser: int) -> Iterator[int]:
    """Haraka, with a plugin that says where mail goes; its port."""
    port = free_port()
    home.joinpath("settings.json").write_text(json.dumps({"door": door, "refuser": refuser}))
    for name, text in {
        "me": "haraka.example",
        "plugins": "onward\n",
        "smtp.ini": f"listen=127.0.0.1:{port}\nnodes=0\n",
        "outbound.ini": "enable_tls=false\n",
        "connection.ini": CONNECTION,
        "log.ini": "level=warn\n",
    }.items():
        home.joinpath("config").mkdir(exist_ok=True)
        home.joinpath("config", name).write_text(text)
    home.joinpath("queue").mkdir()
    home.joinpath("plugins").symlink_to(LIBRARY / "haraka")
    env = {"PATH": os.environ["PATH"], "NODE_PATH": str(MODULES), "PEER_SETTINGS": str(home / "settings.json"), "HARAKA": str(home)}
    program = Program([node(), MODULES / "Haraka/haraka.js"], home / "said", env=env, cwd=home)
    try:
        program.accepts(port)
        yield port
    finally:
        program.stop()


@contextlib.contextmanager
def chasquid(home: Path, door: int, _: int) -> Iterator[int]:
    """chasquid, to which both domains are its own: what it starts for their mail refuses it, or brings it to our door by LMTP; its port."""
    port, submission = free_port(), free_port()
    config = home / "chasquid"
    for name in ("certs/chasquid.example", "domains/here.example", "domains/gone.example"):
        config.joinpath(name).mkdir(parents=True)
    issued = trustme.CA().issue_cert("chasquid.example")
    issued.cert_chain_pems[0].write_to_path(str(config / "certs/chasquid.example/fullchain.pem"))
    issued.private_key_pem.write_to_path(str(config / "certs/chasquid.example/privkey.pem"))
    config.joinpath("chasquid.conf").write_text(CHASQUID.format(port=port, submission=submission, home=home))
    home.joinpath("deliver").write_text(DELIVER.format(lmtp=CHASQUIDS / "usr/bin/mda-lmtp", door=door))
    home.joinpath("deliver").chmod(0o755)
    for user in ("bounces@here.example", "550@gone.example"):
        util: list[str | Path] = [CHASQUIDS / "usr/bin/chasquid-util", f"--configdir={config}", "user-add", user, "--password=none"]
        subprocess.run(util, capture_output=True, check=True)
    program = Program([CHASQUIDS / "usr/bin/chasquid", f"--config_dir={config}"], home / "said", cwd=home)
    try:
        program.accepts(port)
        yield port
    finally:
        program.stop()


@contextlib.contextmanager
def sendmail(home: Path, door: int, refuser: int) -> Iterator[int]:
    """Sendmail itself, with a configuration made of its macros; its port."""
    root, port = Root(home / "root", SENDMAIL_TREE), free_port()
    root.directory("var/spool/mqueue", mode=0o700)
    root.write("etc/mail/mailertable", "here.example esmtp:[127.0.0.1]\ngone.example relay:[127.0.0.1]\n")
    root.write("etc/mail/service.switch", "hosts files\naliases files\n")
    root.write("etc/mail/sendmail.mc", SENDMAIL.format(port=port, door=door, refuser=refuser))
    cf = "/usr/share/sendmail/cf"
    made = subprocess.run(
        ["chroot", root.path, "/usr/bin/m4", f"-D_CF_DIR_={cf}/", f"{cf}/m4/cf.m4", "/etc/mail/sendmail.mc"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    root.write("etc/mail/sendmail.cf", made.stdout)
    program = root.start("/usr/libexec/sendmail/sendmail", "-bD", "-q2s", ports=[port])
    try:
        yield port
    finally:
        root.stop(program)


SERVERS = {
    "haraka": haraka,
    "postfix": postfix,
    "exim": exim,
    "opensmtpd": opensmtpd,
    "chasquid": chasquid,
    "sendmail": sendmail,
}
NEEDS = {
    "chasquid": pytest.mark.peer("chasquid"),
    "sendmail": pytest.mark.peer("sendmail 8", root=True),
}
"""Of those that are in no other test."""


def relays() -> list[ParameterSet]:
    """Parameters: each of them, as far as it is there."""
    return [pytest.param(name, marks=NEEDS.get(name) or marks(name)) for name in SERVERS]
