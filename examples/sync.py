"""The same without an event loop; any number of threads may share the client."""

import sys
from concurrent.futures import ThreadPoolExecutor

from mailer import Email, SyncSmtpClient

host, port, tls = sys.argv[1:]

with SyncSmtpClient(host, int(port), tls=tls) as client, ThreadPoolExecutor(10) as threads:

    def greet(name: str) -> str:
        email = Email(from_="anna@example.org", to=f"{name}@example.net", subject=f"Hello {name}", text="It works.")
        return client.send(email).reply

    for response in threads.map(greet, ["bob", "carol", "dave"]):
        print(response)
    print(client.pool_status())
