"""Messages of all shapes that mail has, made by chance from a seed: what is usual, what is obsolete, and what is not quite right."""

from __future__ import annotations

import random

ADDRESSES = (
    "anna@example.org",
    "<anna@example.org>", "Anna <anna@example.org>", '"M, Anna" <anna@example.org>', "anna@example.org (Anna M)",
    '"a b"@example.org', '"Anna \\"A\\" M" <anna@example.org>', "=?utf-8?q?M=C3=BCller?= <mueller@example.org>", "Müller <m@example.org>",
    "team: a@example.org, B <b@example.org>;", "undisclosed-recipients:;", "anna@[192.0.2.1]", "anna @ example.org",
    "A. B. <ab@example.org>",
    "postmaster", "a (x (y) z) <b@example.org>", "Anna M\r\n <anna@example.org>", "x: ;",
)  # fmt: skip
KINDS = (
    "text/plain", "text/plain; charset=utf-8", 'TEXT/HTML; CharSet="iso-8859-1"', "text/plain; charset=us-ascii; format=flowed; delsp=yes",
    "application/pdf; name=a.pdf", 'application/octet-stream; name="a b\\"c.pdf"', "image/png; name*=utf-8''%C3%BC.png",
    "application/x; name*0=\"very \"; name*1=long", "application/x; name*0*=utf-8''%C3%BC; name*1*=b", "text/plain (a comment); charset=x",
    "", "text/plain;", "text/plain; a", "TEXT/Calendar;\r\n\tmethod=REQUEST;\r\n charset=utf-8",
)  # fmt: skip
OTHERS = (
    "Content-ID: <a@b>", "Content-Description: A picture", "Content-Disposition: attachment; filename=\"x y.pdf\"",
    "Content-Language: de, en-GB", "Content-Location: http://example.org/x", "Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==",
    "Content-Transfer-Encoding: 8bit (yes)",
    "X-Other: x",
)  # fmt: skip
LISTS = ("From", "To", "Cc", "Bcc", "Sender", "Reply-To", "to")
SUBJECTS = ("Re: x", "=?utf-8?b?w7w=?=", "Müller", "a\r\n b", 'say "x" \\ y', "")
LINES = ("", "some text", "-- ", "--", "--x", ".", "Müller", "a: b", "From someone", "x" * 100)


class Letters:
    """Makes a message from `seed`, the same for the same."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.boundaries = 0

    def message(self, depth: int = 0) -> str:
        """A whole message."""
        pick = self.chance.choice
        names = [name for name in LISTS if self.chance.random() < (0.9 if name in ("From", "To") else 0.25)]
        fields = [f"{name}: {', '.join(pick(ADDRESSES) for _ in range(self.chance.randint(1, 3)))}" for name in names]
        fields.append("Subject: " + pick(SUBJECTS))
        fields += [f"Date: {pick(('Sat, 21 Nov 2026 02:15:29 +0100', '21 Nov 26 2:15 EST', 'yesterday'))}"] * (self.chance.random() < 0.8)
        fields += ["Message-ID: <1@example.org>", "In-Reply-To: <0@example.org> <2@example.org>"][: self.chance.randint(0, 2)]
        self.chance.shuffle(fields)
        return "\r\n".join([*fields, "MIME-Version: 1.0", self.part(depth)])

    def part(self, depth: int) -> str:
        """The fields of a part and its body, without a line end behind it."""
        least = self.chance.random()
        if depth < 4 and least < 0.5:
            return self.multipart(depth) if least < 0.4 else self.enclosed(depth)
        kind = self.chance.choice(KINDS)
        head = [f"Content-Type: {kind}"] * bool(kind) + self.chance.sample(OTHERS, self.chance.randint(0, 3))
        return "\r\n".join([*head, "", *(self.chance.choice(LINES) for _ in range(self.chance.randint(0, 5)))])

    def enclosed(self, depth: int) -> str:
        """A message in a message."""
        others = self.chance.sample(OTHERS, self.chance.randint(0, 2))
        return "\r\n".join(["Content-Type: message/rfc822", *others, "", self.message(depth + 1)])

    def multipart(self, depth: int) -> str:
        """Parts side by side, not always with all that there should be."""
        self.boundaries += 1
        name = self.chance.choice((f"b{self.boundaries}", f"=_{self.boundaries}.x", f"b {self.boundaries}", f"--{self.boundaries}"))
        kind = self.chance.choice(("mixed", "alternative", "Digest", 'related; type="text/html"', "report; report-type=delivery-status"))
        lines = [f'Content-Type: multipart/{kind};\r\n boundary="{name}"', *self.chance.sample(OTHERS, self.chance.randint(0, 1)), ""]
        lines += ["preamble"] * (self.chance.random() < 0.3)
        for _ in range(self.chance.choice((0, 1, 2, 2, 3))):
            line = f"--{name}" + self.chance.choice(("", "", " ", "\t"))
            lines += [line, "\r\n" + self.message(depth + 1) if kind == "Digest" else self.part(depth + 1)]
        lines += [f"--{name}--"] * (self.chance.random() < 0.9)
        return "\r\n".join([*lines, *["", "epilogue"][: self.chance.choice((1, 1, 2))]])


def letter(seed: int) -> bytes:
    """The message of this seed."""
    return (Letters(seed).message() + "\r\n").encode()
