"""A way of one's own to the server: here a connection that tells how it came about. A unix socket is `mailer.UnixSocket(path)`.

python examples/own_dialer.py 127.0.0.1 1025 none
"""

import asyncio
import sys

from mailer import Email, SyncSmtpClient


class Telling:
    name = "telling"  # stands in place of the address in logs and errors

    async def connect(self, factory, host, port):
        print("calling", host)
        return await asyncio.get_running_loop().create_connection(factory, host, port)


host, port, tls = sys.argv[1:]

with SyncSmtpClient(host, int(port), tls=tls, dialer=Telling()) as client:
    result = client.send(Email(from_="ann@example.org", to="bob@example.net", subject="Hi", text="It works."))
    print("taken by", result.host)
