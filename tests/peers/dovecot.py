"""A whole Dovecot: LMTP into Maildirs, which IMAP and POP3 show, submission that hands on to another peer, and passwords for Postfix."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Self

from tests.fakes.processes import free_port

from .letters import LATER, PASSWORD, READERS, USERNAME
from .mailboxes import Mailboxes
from .root import Root

CONFIGURATION = """\
protocols = lmtp submission imap pop3
hostname = dovecot.example
listen = 127.0.0.1
base_dir = /run/dovecot
log_path = /var/log/dovecot
default_internal_user = dovecot
default_internal_group = dovecot
default_login_user = dovenull
ssl = yes
ssl_cert = </etc/chain.pem
ssl_key = </etc/chain.pem
auth_failure_delay = 0
auth_mechanisms = plain login cram-md5 scram-sha-256 xoauth2 oauthbearer
mail_location = maildir:/mail/%n
mail_uid = mail
mail_gid = mail
first_valid_uid = 1
submission_relay_host = 127.0.0.1
submission_relay_port = {relay_port}
submission_max_mail_size = 50M
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = /etc/dovecot/oauth2.conf
}}
passdb {{
  driver = passwd-file
  mechanisms = plain login cram-md5 scram-sha-256
  args = /etc/dovecot/users
}}
userdb {{
  driver = passwd-file
  args = username_format=%n /etc/dovecot/users
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service auth {{
  inet_listener {{
    address = 127.0.0.1
    port = {auth}
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    port = {plain}
  }}
  inet_listener lmtps {{
    port = {implicit}
    ssl = yes
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
service submission-login {{
  inet_listener submission {{
    port = {submission}
  }}
  inet_listener submissions {{
    port = {submissions}
    ssl = yes
  }}
}}
"""

OAUTH2 = """\
introspection_mode = local
local_validation_key_dict = fs:posix:prefix=/etc/dovecot/keys/
username_attribute = sub
"""

KEY = b"a key that the peer and the test share, nobody else"


class Dovecot:
    """Start and stop it as a context manager. `mailboxes` are those of LMTP.

    What is submitted goes to `relay_port`; at `auth_port` it checks passwords for Postfix.
    """

    def __init__(self, home: Path, chain: Path, auth_port: int, relay_port: int) -> None:
        self.root = Root(home / "root")
        self.ports = {door: free_port() for door in ("plain", "implicit", "submission", "submissions", "imap", "imaps", "pop3", "pop3s")}
        self.ports |= {"starttls": self.ports["plain"], "auth": auth_port}
        self.root.write("etc/chain.pem", chain.read_text()).chmod(0o600)
        self.root.write("etc/dovecot/users", "".join(f"{user}:{{PLAIN}}{PASSWORD}:::::\n" for user in (*READERS, *LATER)), "dovecot").chmod(
            0o600
        )
        self.root.write("etc/dovecot/oauth2.conf", OAUTH2)
        self.root.write("etc/dovecot/keys/default/HS256/default", base64.b64encode(KEY).decode(), "dovecot")
        self.root.directory("mail", "mail")
        for user in LATER:
            self.root.directory(f"mail/{user}", mode=0o500)  # its owner cannot write there
        self.root.write("etc/dovecot/dovecot.conf", CONFIGURATION.format(relay_port=relay_port, **self.ports))
        self.mailboxes = Mailboxes(self.root.path / "mail")

    def __enter__(self) -> Self:
        self.program = self.root.start("/usr/sbin/dovecot", "-F", ports=self.ports.values())
        return self

    def __exit__(self, *error: object) -> None:
        self.root.stop(self.program)


def token(who: str = USERNAME) -> str:
    """What an authority of OAuth 2 would give to `who`: a JSON Web Token that Dovecot believes. RFC 7519"""
    claims = {"sub": who, "iat": int(time.time()) - 60, "exp": int(time.time()) + 3600}
    signed = b".".join(_base64(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    return (signed + b"." + _base64(hmac.digest(KEY, signed, hashlib.sha256))).decode()


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
