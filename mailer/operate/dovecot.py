"""A configuration with which Dovecot gives our users their mail by IMAP and POP3, and the file that tells it who they are.

Mail comes to Dovecot by LMTP, and from then on is kept by it, in Maildirs; what was kept by mailer before goes there by an export. The text
for Dovecot 2.3 is run by the tests as it is printed. That for 2.4, which reads no configuration of 2.3, is made after its documentation and
was never run.

Of a password Dovecot is given the record by which we check SCRAM-SHA-256, which both of us know (RFC 5803): with it Dovecot checks SCRAM
and PLAIN. Our own records, of SCRYPT, it cannot read: who has no such keys, as accounts.mechanisms had no SCRAM when he got his password,
needs a new one. Passwords of single programs are known to us alone.
"""

from __future__ import annotations

import grp
import os
import pwd
from binascii import b2a_base64
from typing import TYPE_CHECKING, Final, NamedTuple

from mailer.mail.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mailer.accounts.users.api import User

VERSIONS: Final = ("2.3", "2.4")
FOLDERS: Final = ("Drafts", "Sent", "Junk", "Trash", "Archive")
"""With the special uses of the same names."""


class DovecotTerms(NamedTuple):
    """What differs from one machine to another.

    `mail` is the directory of all Maildirs, `users` the file of users, `socket` where mail comes by LMTP; `user` and `group` are whose
    all files are. With `run`, a directory of its own, Dovecot needs no rights of root: it runs as `user`, listens on `address` at `ports`
    (imap, pop3), logs there. `certificate` and `key` are files; without them nothing is encrypted, and it listens here alone.
    """

    version: str = "2.3"
    mail: str = "/srv/mail"
    users: str = "/etc/dovecot/users"
    socket: str = "/run/dovecot/lmtp"
    user: str = "vmail"
    group: str = "vmail"
    run: str = ""
    certificate: str = ""
    key: str = ""
    address: str = ""
    ports: Sequence[int] = (143, 110)


def without_root(terms: DovecotTerms, run: str) -> DovecotTerms:
    """The terms with which the user of this process can run it in the directory `run`. Raises `Problem` (no-such) where he has no name."""
    try:
        user, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
    except KeyError as error:
        raise Problem(f"Dovecot wants users and groups with names: {error.args[0]}", "no-such") from None
    return terms._replace(run=run, user=user, group=group, socket=f"{run}/from-mailer")  # "lmtp" there is a socket of its own


def configuration(terms: DovecotTerms) -> str:
    """The text of ``dovecot.conf``. Raises `Problem` (usage) for a version that nobody knows, and what cannot stand in the file."""
    for name, value in zip(terms._fields, terms, strict=True):
        if isinstance(value, str) and any(letter in value for letter in "\n\r{}#\"'"):
            raise Problem(f"the {name} {value!r} cannot stand in a configuration of Dovecot", "usage")
    writers = {"2.3": _for_2_3, "2.4": _for_2_4}
    if terms.version not in writers:
        raise Problem(f"there are configurations for Dovecot {' and '.join(VERSIONS)}, and none for {terms.version}", "usage")
    return "".join(f"{line}\n" for line in (*_head(terms), *writers[terms.version](terms), *_services(terms), *_folders()))


def _head(terms: DovecotTerms) -> Iterator[str]:
    yield f"# Dovecot {terms.version} gives users of mailer their mail; printed by: mailer mailbox dovecot"
    if terms.version != "2.3":
        yield f"# It follows the documentation of Dovecot {terms.version}; the tests of mailer run that for 2.3 only."
    yield "#"
    yield "# In the configuration of mailer, which brings the mail:"
    yield "#   [[domain]]"
    yield '#   name = "example.com"'
    yield '#   via = "relay:dovecot"'
    yield "#   [relay.dovecot]"
    yield '#   host = "localhost"'
    yield f'#   socket = "{terms.socket}"'
    yield '#   protocol = "lmtp"'
    yield '#   tls = "none"'
    yield f"# Who the users are, anew whenever that changes: mailer mailbox dovecot --users > {terms.users}"
    yield ""


def _for_2_3(terms: DovecotTerms) -> Iterator[str]:
    yield "protocols = imap pop3 lmtp"
    yield from _place(terms)
    if terms.certificate:
        yield from ("ssl = required", f"ssl_cert = <{terms.certificate}", f"ssl_key = <{terms.key}")
    else:
        yield from ("ssl = no", "disable_plaintext_auth = no")
    yield "auth_mechanisms = plain login scram-sha-256"
    yield "auth_username_format = %Lu"
    yield "mail_location = maildir:~/Maildir"
    yield f"mail_home = {terms.mail}/%Ld/%Ln"
    yield f"mail_uid = {terms.user}"
    yield f"mail_gid = {terms.group}"
    yield "recipient_delimiter = +"
    yield from ("passdb {", "  driver = passwd-file", f"  args = username_format=%Lu {terms.users}", "}")
    yield from ("userdb {", "  driver = passwd-file", f"  args = username_format=%Lu {terms.users}", "}")


def _for_2_4(terms: DovecotTerms) -> Iterator[str]:
    yield "dovecot_config_version = 2.4.0"
    yield "dovecot_storage_version = 2.4.0"
    yield "protocols {"
    yield from ("  imap = yes", "  pop3 = yes", "  lmtp = yes", "}")
    yield from _place(terms)
    if terms.certificate:
        yield from ("ssl = required", f"ssl_server_cert_file = {terms.certificate}", f"ssl_server_key_file = {terms.key}")
    else:
        yield from ("ssl = no", "auth_allow_cleartext = yes")
    yield from ("auth_mechanisms {", "  plain = yes", "  login = yes", "  scram-sha-256 = yes", "}")
    yield "auth_username_format = %{user | lower}"
    yield "mail_driver = maildir"
    yield "mail_path = ~/Maildir"
    yield f"mail_home = {terms.mail}/%{{user | domain | lower}}/%{{user | username | lower}}"
    yield f"mail_uid = {terms.user}"
    yield f"mail_gid = {terms.group}"
    yield "recipient_delimiter = +"
    yield from ("passdb passwd-file {", f"  passwd_file_path = {terms.users}", "}")
    yield from ("userdb passwd-file {", f"  passwd_file_path = {terms.users}", "}")


def _place(terms: DovecotTerms) -> Iterator[str]:
    """Where it listens, and where it lives without rights of root."""
    if terms.address or not terms.certificate:
        yield f"listen = {terms.address or '127.0.0.1'}"
    if terms.run:
        yield f"base_dir = {terms.run}"
        yield f"state_dir = {terms.run}"
        yield f"log_path = {terms.run}/log"
        yield f"default_internal_user = {terms.user}"
        yield f"default_internal_group = {terms.group}"
        yield f"default_login_user = {terms.user}"
        yield "first_valid_uid = 1"


def _services(terms: DovecotTerms) -> Iterator[str]:
    """Both versions write these alike. The doors of implicit TLS are for who has a certificate."""
    secure = bool(terms.certificate)
    for name, port in zip(("imap", "pop3"), terms.ports, strict=True):
        implicit = {"imap": 993, "pop3": 995}[name] if secure and not terms.run else 0
        yield f"service {name}-login {{"
        if terms.run:
            yield "  chroot ="
        yield from (f"  inet_listener {name} {{", f"    port = {port}", "  }")
        yield from (f"  inet_listener {name}s {{", f"    port = {implicit}", "  }", "}")
    yield "service lmtp {"
    if terms.run:
        yield f"  user = {terms.user}"
    socket = terms.socket.removeprefix(f"{terms.run}/") if terms.run else terms.socket
    yield from (f"  unix_listener {socket} {{", "    mode = 0666", "  }", "}")
    if terms.run:
        for name in ("anvil", "stats"):
            yield from (f"service {name} {{", "  chroot =", "}")


def _folders() -> Iterator[str]:
    yield "namespace inbox {"
    yield "  inbox = yes"
    yield "  separator = /"
    for name in FOLDERS:
        yield from (f"  mailbox {name} {{", f"    special_use = \\{name}", "    auto = subscribe", "  }")
    yield "}"


def passwd_file(users: Iterable[User]) -> tuple[str, Sequence[str]]:
    """The file of users, and the addresses of those whose password Dovecot cannot check. A user who is disabled is not in it."""
    lines, without = [], []
    for user in users:
        if user.disabled:
            continue
        if user.keys is None or not user.key.isprintable() or {":", " "} & {*user.key}:
            without.append(user.address)
            continue
        record = ",".join((str(user.iterations), *map(_base64, (user.salt, user.keys.stored_key, user.keys.server_key))))
        lines.append(f"{user.key}:{{SCRAM-SHA-256}}{record}::::::\n")
    return "".join(lines), without


def _base64(octets: bytes) -> str:
    return b2a_base64(octets, newline=False).decode()
