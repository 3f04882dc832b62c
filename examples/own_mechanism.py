"""A SASL mechanism of one's own: a name, an initial response, answers to challenges.

python examples/own_mechanism.py 127.0.0.1 1025 none
"""

import hmac
import sys

from mailer import Email, Login, Mechanism, SyncSmtpClient


class Seal(Mechanism):
    name = "X-SEAL"  # as the server offers it
    clear = False  # the secret does not go over the wire, so no TLS is needed for it

    def answer(self, challenge):
        return self.username + b" " + hmac.new(self.secret, challenge, "sha256").hexdigest().encode()


host, port, tls = sys.argv[1:]
login = Login("me", lambda: "the secret", mechanism=Seal)

with SyncSmtpClient(host, int(port), tls=tls, credentials=login) as client:
    print(client.send(Email(from_="ann@example.org", to="bob@example.net", subject="Hi", text="It works.")).reply)
