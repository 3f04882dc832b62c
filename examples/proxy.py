"""Send by way of a proxy, which looks the server up; TLS is with the server.

python examples/proxy.py socks5://127.0.0.1:9050 mail.example.com 587 starttls
"""

import sys

from mailer import Email, Proxy, SmtpError, SyncSmtpClient

url, host, port, tls = sys.argv[1:]

with SyncSmtpClient(host, int(port), tls=tls, dialer=Proxy.at(url)) as client:  # with a login: Proxy.at(url, "me", password)
    try:
        result = client.send(Email(from_="ann@example.org", to="bob@example.net", subject="Hi", text="It works."))
        print("taken by", result.host)
    except SmtpError as error:
        print(error.kind, error.text)
