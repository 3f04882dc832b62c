"""Messages of every shape that a signature has to survive, as the spool has them; each has a name for its test."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

from mailer.mail.message import normalise

DATE = b"Date: Sat, 21 Nov 2026 02:15:29 +0000\n"
BASE = b"From: Anna <anna@example.com>\nTo: you@there.example\nSubject: a letter\n" + DATE + b"Message-ID: <1@example.com>\n"

HEADERS = {
    "plain": BASE,
    "folded": BASE.replace(b"Subject: a letter", b"Subject: a letter\n that goes\n\ton and\n  on"),
    "folded-with-blank-ends": BASE.replace(b"Subject: a letter", b"Subject: a  \n   letter \t \n\t x"),
    "empty-fields": BASE + b"Cc:\nReply-To: \nX-Empty:\n",
    "field-that-begins-with-a-fold": BASE.replace(b"Subject: a letter", b"Subject:\n a letter"),
    "blanks-and-tabs": BASE.replace(b"Subject: a letter", b"Subject: \t a \t\t  letter\t "),
    "case-of-names": BASE.replace(b"Subject", b"sUBJECT").replace(b"From", b"FROM").replace(b"Message-ID", b"Message-Id"),
    "duplicates": BASE + b"Subject: another\nTo: they@there.example\nReceived: one\nReceived: two\nReferences: <1@x>\nReferences: <2@x>\n",
    "mime": BASE + b"MIME-Version: 1.0\nContent-Type: text/plain;\n charset=utf-8\nContent-Transfer-Encoding: 7bit\n",
    "list": BASE + b"List-Unsubscribe: <https://example.com/u>,\n <mailto:u@example.com>\nList-Unsubscribe-Post: x=y\n",
    "many-recipients": BASE.replace(b"you@there.example", b",\n ".join(b"you%d@there.example" % n for n in range(60))),
    "long-word": BASE.replace(b"a letter", b"x" * 900),
    "encoded-words": BASE.replace(b"a letter", b"=?utf-8?b?Z3LDvMOfZQ==?=\n =?utf-8?q?=20gr=C3=BC=C3=9Fe?="),
    "8-bit": BASE.replace(b"a letter", "grüße mit € und 日本語".encode()),
    "latin-1": BASE.replace(b"a letter", b"gr\xfc\xdfe"),
    "signed-by-others": b"DKIM-Signature: v=1; a=rsa-sha256; d=l.example; s=x; h=from;\n bh=AAAA; b=BBBB\nARC-Seal: i=1; b=x\n" + BASE,
    "bounds": BASE + b"X-Colons: a: b;: c\nX-Angle: <<>>\nResent-From: me@example.com\nResent-Date: Sat, 21 Nov 2026 02:15:29 +0000\n",
}

BODIES = {
    "text": b"\nHello,\n\nthe text.\n",
    "none": b"",
    "empty": b"\n",
    "one-empty-line": b"\n\n",
    "only-empty-lines": b"\n" + b"\n" * 30,
    "only-blanks": b"\n  \t \n\t\n   \n",
    "trailing-empty-lines": b"\nthe text\n\n\n\n\n",
    "trailing-blank-lines": b"\nthe text\n \n\t\n  \t \n",
    "blanks-at-ends": b"\nthe \t text  \nmore\t\n  and  indented \n",
    "leading-empty-lines": b"\n\n\n\nthe text\n",
    "long-line": b"\n" + b"y" * 20000 + b"\n",
    "long-lines-of-words": b"\n" + (b"word  " * 400 + b"\n") * 5,
    "dots": b"\n.\n..\n.x\n\n.\n",
    "utf-8": "\nGrüße, 日本語, €.\n\u00a0 \n".encode(),
    "latin-1": b"\ngr\xfc\xdfe\n",
    "from-lines": b"\nFrom here\n>From there\nfrom: x\n",
    "all-octets": b"\n" + bytes(octet for octet in range(1, 256) if octet not in b"\r\n") + b"\n",
    "vertical-blanks": b"\na\x0bb\x0c\x0c c \x0b\n",
    "no-last-line-end": b"\nthe text",
}


def shapes() -> Iterator[tuple[str, bytes]]:
    """Each header with each body."""
    for (header, fields), (body, text) in itertools.product(HEADERS.items(), BODIES.items()):
        yield f"{header}/{body}", normalise(fields + text)


def chance(count: int, seed: int = 1) -> Iterator[tuple[str, bytes]]:
    """Messages of random lines, of the characters that matter to canonical forms."""
    dice = random.Random(seed)
    for number in range(count):
        lines = ["".join(dice.choices("ab \t", k=dice.randrange(12))) for _ in range(dice.randrange(20))]
        subject = "".join(dice.choices(["x", " ", "\t", "\n ", "\n\t", "ü"], k=dice.randrange(1, 12)))
        header = BASE.replace(b"a letter", subject.encode())
        yield f"chance-{number}", normalise(header + b"\n" + "\n".join(lines).encode() + b"\n" * dice.randrange(4))
