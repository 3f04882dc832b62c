"""Compose a message with everything: text and HTML, a picture in it, files, more fields, an answer in a thread."""

import sys
from pathlib import Path

from mailer import Email, SyncSmtpClient

host, port, tls, file = sys.argv[1:]
email = Email(
    from_="Jörg Müller <joerg@example.org>",
    to=["Anna <anna@example.net>", "bob@example.net"],
    cc="carol@example.net",
    bcc="archive@example.org",
    subject="Grüße aus München",
    text="See the picture in the HTML.",
    html='<p>See this: <img src="cid:logo"></p>',
    in_reply_to="<first@example.net>",
    priority="high",
    headers={"X-Campaign": "spring"},
)
email.inline(Path(file).read_bytes(), "logo", "image/png")
email.attach_file(file, "logo.png").attach("a;b\n1;2\n", "table.csv")

with SyncSmtpClient(host, int(port), tls=tls) as client:
    print(client.send(email).accepted)
