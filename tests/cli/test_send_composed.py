"""``mailer send`` that composes, shows and mends: options, JSON, dry runs, and values that want to be more than they are."""

from __future__ import annotations

import email
import email.policy
import json
import os
import subprocess
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from .home import WHOLE, Home

TO = ["--to", "you@example.net", "--from", "me@example.com"]


def sent(home: Home, *arguments: str | Path, **more: Any) -> EmailMessage:
    """The one message that was queued, as others read it."""
    done = home.send(*arguments, **more)
    assert (done.returncode, done.stderr) == (0, b""), done
    found = email.message_from_bytes(home.spool.content(*home.queued()), policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    return found


def test_everything_in_one_line(home: Home, tmp_path: Path) -> None:
    """Text, HTML, a picture in it, a file, a link, a thread, haste, one click to leave, and a field of one's own."""
    (tmp_path / "größe.pdf").write_bytes(b"%PDF-1.7 \x00\xff")
    (tmp_path / "logo").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "body.html").write_text('<p>Hällo <img src="cid:logo"></p>')
    message = sent(
        home, *TO, "--subject", "Grüße", "--text", "Hello", "--html-file", tmp_path / "body.html", "--attach", tmp_path / "größe.pdf",
        "--inline", f"logo={tmp_path / 'logo'}", "--link", "big.iso=https://example.com/big.iso", "--in-reply-to", "<2@x.example>",
        "--references", "<1@x.example> <2@x.example>", "--priority", "high", "--list-unsubscribe", "https://example.com/u",
        "--header", "X-Note: ü",
    )  # fmt: skip
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/mixed", "multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png", "application/pdf",
    ]  # fmt: skip
    (file,) = message.iter_attachments()
    assert (file.get_filename(), file.get_content()) == ("größe.pdf", b"%PDF-1.7 \x00\xff")
    body = message.get_body(("plain",))
    assert body is not None
    assert body.get_content().splitlines() == ["Hello", "", "big.iso: <https://example.com/big.iso>"]
    assert (message["Subject"], message["X-Note"], message["X-Priority"]) == ("Grüße", "ü", "2")
    assert (message["In-Reply-To"], message["References"]) == ("<2@x.example>", "<1@x.example> <2@x.example>")
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert home.spool.read(*home.queued()).envelope.priority == "high"


def test_html_alone_has_a_text(home: Home) -> None:
    """Made from it, unless an empty one was given."""
    message = sent(home, *TO, "--html", "<h1>Hello</h1><p>you")
    assert next(message.iter_parts()).get_content().splitlines() == ["Hello", "=====", "", "you"]


def test_html_can_stand_alone(home: Home) -> None:
    """With --text ''."""
    assert sent(home, *TO, "--html", "<p>x", "--text", "").get_content_type() == "text/html"


@pytest.mark.parametrize("options", [["-s", "Backup"], ["--from", "me@example.com"], ["--header", "X-A: b"], ["--attach", "/etc/hostname"]])
def test_what_is_piped_into_a_composed_message_is_its_text(home: Home, options: list[str]) -> None:
    """``echo report | mailer send -s Backup you@example.net``, as mail(1), mutt and s-nail take it."""
    body = sent(home, *options, "you@example.net", input=b"report\n").get_body(("plain",))
    assert body is not None
    assert body.get_content().splitlines() == ["report"]


def test_json_asks_for_what_is_no_part_of_the_message(home: Home) -> None:
    """As the options do, besides which it stands."""
    said = {"from": "me@example.com", "to": "you@example.net", "list_unsubscribe": "auto"}
    home.configure('[submission]\npublic_url = "https://leave.example.com"\n')
    sent(home, "--from-json", "-", "--stream", "news", "--ignore-suppression", input=json.dumps(said).encode())
    assert home.spool.read(*home.queued()).envelope.options == {"list_unsubscribe": "auto", "ignore_suppression": True}


@pytest.mark.parametrize("text", [["--text", "said"], ["--text-file", "/dev/null"], ["--html", "<p>said"], ["--from-json", "payload"]])
def test_an_option_that_says_the_text_leaves_standard_input_alone(home: Home, text: list[str]) -> None:
    """Nobody waits for its end."""
    (home.path / "payload").write_text(json.dumps(PAYLOAD))
    options = text if "--from-json" in text else [*TO, *text]
    with home.start("send", *options, cwd=home.path) as process:
        assert process.wait(60) == 0  # while the pipe is open
    (id,) = home.queued()
    assert b"Content-Type: text/plain" in home.spool.content(id)


def test_an_option_that_takes_standard_input_for_a_file_leaves_no_text_there(home: Home) -> None:
    """It is attached, and nothing else."""
    message = sent(home, *TO, "--attach", "-", input=b"report\n")
    body = message.get_body(("plain",))
    assert body is not None
    assert body.get_content().strip() == ""
    (file,) = message.iter_attachments()
    assert file.get_content() == "report\n"


def test_a_text_that_is_typed(home: Home) -> None:
    """At a terminal it is read to its end, and who sits there is told; not with -q."""
    for quiet, said in ([], b"mailer: reading the text from the terminal; end it with Ctrl-D\n"), (["-q"], b""):
        ours, theirs = os.openpty()
        with home.start("send", *quiet, *TO, stdin=theirs) as process:
            os.close(theirs)
            os.write(ours, b"typed\n\x04")
            _, error = process.communicate(timeout=60)
        os.close(ours)
        assert (process.returncode, error) == (0, said)
        (id,) = home.queued()
        assert home.spool.content(id).endswith(b"\r\n\r\ntyped\r\n")
        home.spool.cancel(id, 0.0, "")


def test_where_there_is_no_input_there_is_no_text(home: Home) -> None:
    """A closed one, /dev/null, and what nohup(1) leaves; a pipe that is empty is told of, for something was meant to come out of it."""
    unreadable = os.open("/dev/null", os.O_WRONLY)
    for options in (
        {"stdin": subprocess.DEVNULL}, {"stdin": unreadable}, {"preexec_fn": lambda: os.close(0)}, {"input": b""}
    ):  # fmt: skip
        done = home.send(*TO, "-s", "x", **({"input": None} | options))
        assert (done.returncode, b"nothing came on standard input" in done.stderr) == (0, "input" in options), done
    os.close(unreadable)
    assert [home.spool.content(id).partition(b"\r\n\r\n")[2] for id in home.queued()] == [b"\r\n"] * 4
    assert home.send(*TO, "-s", "x", "--attach", "/etc/hostname", input=b"").stderr == b""


@pytest.mark.parametrize("wrong", [["--header", "X-A"], ["--from", "no address"], ["--attach", "/none"], ["--inline", "x"]])
def test_what_is_wrong_is_told_before_the_text_is_typed(home: Home, wrong: list[str]) -> None:
    """Nothing is read."""
    with home.start("send", *TO, *wrong) as process:
        assert process.wait(60) in (64, 65, 67)
    assert home.queued() == []


@pytest.mark.parametrize("bad", [["--to", "no@"], ["--bcc", "<"], ["--cc", "a b c@"], ["no@"]])
def test_one_bad_address_stops_no_text_that_is_piped_in(home: Home, bad: list[str]) -> None:
    """The others get their mail, and its sender a report, as with every other way to name them; ``--strict`` refuses."""
    done = home.send(*TO, "-s", "x", *bad, input=b"report\n")
    assert done.returncode == 0, done
    assert b"undeliverable" in done.stderr
    (id,) = home.queued()
    assert [one.address for one in home.spool.read(id).envelope.recipients if one.outcome is None] == ["you@example.net"]
    assert home.spool.content(id).endswith(b"\r\n\r\nreport\r\n")
    assert home.send(*TO, "-s", "x", *bad, "--strict", input=b"report\n").returncode == 65
    assert home.queued() == [id]


@pytest.mark.parametrize("form", ["utf-8-sig", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("options", [["--text-file", "-"], ["-s", "x"], ["--from-json", "-"]])
def test_a_byte_order_mark_says_what_a_text_is(home: Home, form: str, options: list[str]) -> None:
    """As Windows writes it: in a file, on standard input, and in JSON."""
    mark = "\ufeff" if form == "utf-16-be" else ""  # the others write it themselves
    text = "Gr\u00fc\u00dfe"
    if "--from-json" in options:
        text = json.dumps({"from_address": "me@example.com", "to_addresses": ["you@example.net"], "body_plain": text}, ensure_ascii=False)
    message = sent(home, *(TO if "--from-json" not in options else []), *options, input=(mark + text).encode(form))
    assert message.get_content().splitlines() == ["Gr\u00fc\u00dfe"]


def test_half_a_character_in_json_stops_no_mail(home: Home) -> None:
    """What is left where a program cut a text within one; told, and refused where nothing is to be mended."""
    said = {
        "from_address": "me@example.com",
        "to_addresses": ["you@example.net"],
        "subject": "\udc00!",
        "body_plain": "a \ud83d b \U0001f600",
    }
    payload = json.dumps(said).encode()
    message = sent(home, "--from-json", "-", input=payload)
    assert (message["Subject"], message.get_content()) == ("\ufffd!", "a \ufffd b \U0001f600\r\n")
    assert b"halves of characters" in home.send("-v", "--from-json", "-", input=payload).stderr
    assert home.send("--strict", "--from-json", "-", input=payload).returncode == 65


ODD = "Gr\u00fc\u00dfe".encode() + b" caf\xe9"


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ([*TO, "--text-file", "odd"], "odd"),
        ([*TO, "--html-file", "odd"], "odd"),
        (TO, "text"),
        ([*TO, "--text", ODD], "--text"),
        ([*TO, "--subject", ODD, "--text", "x"], "--subject"),
        ([*TO, "--text", "x", "--attach", b"caf\xe9"], "--attach"),
        (["--from", b"Caf\xe9 <me@example.com>", "you@example.net", "--text", "x"], "--from"),
        (["--from-json", "odd.json"], "odd.json"),
    ],
)
def test_odd_octets_stop_no_mail(home: Home, options: list[str | bytes], where: str) -> None:
    """A log with one Latin-1 name in it is sent, readable, and what was done is told; with --strict it is refused."""
    (home.path / "odd").write_bytes(ODD)
    (home.path / "odd.json").write_bytes(json.dumps(PAYLOAD | {"subject": "?"}).encode().replace(b"?", ODD))
    Path(os.fsdecode(os.fsencode(home.path) + b"/caf\xe9")).write_bytes(b"x")
    home.refused(home.send("--strict", *options, input=ODD, cwd=home.path), 65, where, "no UTF-8", "submission.strict")
    done = home.send("--json", *options, input=ODD, cwd=home.path)
    assert (done.returncode, done.stderr) == (0, b"")
    change = json.loads(done.stdout)["changes"][0]
    assert (change["action"], change["what"]) == ("mended", where)
    message = email.message_from_bytes(home.spool.content(*home.queued()), policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    shown = [str(value) for value in message.values()]
    for part in message.walk():
        shown += [str(part.get_filename())] + ([part.get_content()] if part.get_content_maintype() == "text" else [])
    assert any("caf\u00e9" in text.lower() for text in shown), shown


def test_text_from_a_file_and_from_standard_input(home: Home, tmp_path: Path) -> None:
    """A byte order mark is none of the text."""
    (tmp_path / "text").write_bytes(b"\xef\xbb\xbfone\n")
    message = sent(home, *TO, "--text-file", tmp_path / "text", "--html-file", "-", input=b"<p>two")
    assert [part.get_content().strip() for part in message.iter_parts()] == ["one", "<p>two"]


PAYLOAD = {
    "request_id": "k1",
    "from_address": "a@example.com",
    "to_addresses": ["b@example.net"],
    "bcc_addresses": ["c@example.net"],
    "subject": "x",
    "body_plain": "hello",
    "attachments": [{"filename": "a.txt", "data_base64": "aGVsbG8="}, {"filename": "r", "download_url": "https://example.com/r"}],
    "priority": "low",
}


@pytest.mark.parametrize("source", ["-", "file"])
def test_from_json(home: Home, tmp_path: Path, source: str) -> None:
    """The payload of an API; its request id makes it idempotent."""
    (tmp_path / "p.json").write_text(json.dumps(PAYLOAD))
    path = "-" if source == "-" else str(tmp_path / "p.json")
    first = home.send("--from-json", path, "--json", input=json.dumps(PAYLOAD).encode())
    again = home.send("--from-json", path, "--json", input=json.dumps(PAYLOAD).encode())
    assert first.returncode == again.returncode == 0, again.stderr
    shown = json.loads(first.stdout)
    assert json.loads(again.stdout)["id"] == shown["id"]
    assert (shown["request_id"], shown["priority"], shown["from"]) == ("k1", "low", "a@example.com")
    assert [(one["address"], one["type"]) for one in shown["recipients"]] == [("b@example.net", "to"), ("c@example.net", "bcc")]
    content = home.spool.content(*home.queued())
    assert b"c@example.net" not in content
    assert b"<https://example.com/r>" in content


@pytest.mark.parametrize(
    ("arguments", "input", "code", "words"),
    [
        (["--from-json", "-"], b"{", 65, ["-: this is no JSON"]),
        (["--from-json", "-"], b"[]", 65, ["the payload is no object"]),
        (["--from-json", "-"], b"[" * 100_000, 65, ["this is no JSON"]),
        (["--from-json", "-"], b"\xff", 65, ["this is no JSON"]),
        (["--from-json", "-"], b"{}", 65, ["no recipient"]),
        (["--from-json", "-"], b'{"to_adresses": ["x@example.com"]}', 65, ["did you mean to_addresses?"]),
        (["--from-json", "-"], b'{"to_addresses": ["x@example.com"], "request_id": "a\\nb"}', 64, ["printable"]),
        (["--from-json", "-", "--to", "x@example.com"], b"{}", 64, ["--from-json says all of the message", "--to"]),
        (["--from-json", "-", "x@example.com"], b"{}", 64, ["x@example.com"]),
        (["--from-json", "/none.json"], b"", 67, ["cannot read /none.json"]),
        ([*TO, "--attach", "/none"], b"", 67, ["cannot read /none: No such file"]),
        ([*TO, "--attach", "/"], b"", 67, ["cannot read /: Is a directory"]),
        ([*TO, "--inline", "logo"], b"", 64, ["--inline takes CID=FILE"]),
        ([*TO, "--inline", "lo go=/etc/hostname", "--html", "x"], b"", 65, ["'lo go' is no content ID"]),
        ([*TO, "--inline", "logo=/etc/hostname", "--text", "x"], b"", 65, ["pictures are shown within HTML"]),
        ([*TO, "--link", "https://example.com"], b"", 64, ["--link takes NAME=URL"]),
        ([*TO, "--link", "x=javascript:alert(1)"], b"", 65, ["is no link"]),
        ([*TO, "--text-file", "-", "--html-file", "-"], b"", 64, ["--text-file and --html-file cannot both be -"]),
        ([*TO, "--html", "x", "--html-file", "-"], b"", 64, ["--html and --html-file do not go together"]),
        ([*TO, "--priority", "soon"], b"", 65, ["there is no priority 'soon'"]),
        (["--priority", "soon", "you@example.net"], WHOLE, 65, ["the priority is one of high, normal, low"]),
        ([*TO, "--header", "X-A"], b"", 64, ["--header takes 'NAME: VALUE'"]),
        ([*TO, "--list-unsubscribe", "http://example.com"], b"", 65, ["no way to unsubscribe"]),
        ([*TO, "--in-reply-to", "a b"], b"", 65, ["takes message identifiers"]),
        ([*TO, "--subject", "x" * 21], b"", 65, ["longer than 20 characters (submission.max_subject_length)"]),
        ([*TO, *["--attach", "/etc/hostname"] * 3], b"", 65, ["3 attachments are more than 2 (submission.max_attachments)"]),
        ([*TO, "--attach", "/usr/bin/env"], b"", 65, ["larger than 1000 bytes (submission.max_attachment_size)"]),
        ([*TO, *["--header", "X-A: " + "x " * 300] * 4], b"", 65, ["larger than 2000 bytes (submission.max_header_size)"]),
        (["--to", "root", "--from", "me@example.com"], b"", 65, ["'root' is not an address: it has no domain"]),
        (["--strict", "you@example.net"], b"\n" + b"x" * 999, 65, ["body: it has a line of more than 998 octets", "submission.strict"]),
    ],
)  # fmt: skip
def test_what_cannot_be_composed_is_one_line(home: Home, arguments: list[str], input: bytes, code: int, words: list[str]) -> None:
    """What, where and what to do; nothing is queued."""
    limits = 'max_subject_length = 20\nmax_attachments = 2\nmax_attachment_size = "1KB"\nmax_header_size = "2KB"\n'
    home.configure(f"[submission]\n{limits}")
    home.refused(home.send(*arguments, input=input), code, *words)


EVIL = ["\r\nBcc: victim@example.org", "\nBcc: victim@example.org", "\r\n victim", "\rx", "\x0b", "\x85x", "\u2028x", "\n\n<p>body"]


@pytest.mark.parametrize("evil", EVIL)
def test_no_option_begins_a_field(home: Home, evil: str) -> None:
    """Each option whose value stands in the header, with each kind of line end and other control characters: refused."""
    for option, value in (
        ("--subject", "x"), ("--reply-to", "x@example.com"), ("--cc", "x@example.com"), ("--bcc", "x@example.com"),
        ("--header", "X-A: x"), ("--in-reply-to", "<x@y>"), ("--references", "<x@y>"), ("--list-unsubscribe", "https://example.com/"),
        ("--priority", "high"), ("--link", "x=https://example.com/"),
    ):  # fmt: skip
        done = home.send(*TO, option, value + evil)
        assert done.returncode == 65, (option, done)
    for option in ("--to", "--from"):
        assert home.send("--to", "a@example.com", option, f"x@example.com{evil}").returncode == 65
    assert home.queued() == []


@pytest.mark.parametrize(
    "field",
    ["Bcc: x@example.org", "bcc : x@example.org", "BCC:x@example.org", "Resent-Bcc: x@example.org", "resent-bcc\t: x", ": x", " : x",
     "X Y: z", "X-\xe4: z", "Content-Type: text/html", "To: x@example.org", "MIME-Version: 2.0", "X\x01: y", "X" * 71 + ": y"],
)  # fmt: skip
def test_names_of_fields(home: Home, field: str) -> None:
    """What is no name, what others must not read, and what comes from other options is refused."""
    assert home.send(*TO, "--header", field).returncode in (64, 65)
    assert home.queued() == []


def test_those_whom_the_others_do_not_see_may_have_names(home: Home) -> None:
    """And commas between them, as in any other field."""
    message = sent(home, *TO, "--bcc", '"Lee, Anna" <anna@example.org>, bob@example.org', "--bcc", "Carol <carol@example.org>")
    assert "Bcc" not in message
    hidden = [to.address for to in home.spool.read(*home.queued()).envelope.recipients if to.type == "bcc"]
    assert hidden == ["anna@example.org", "bob@example.org", "carol@example.org"]


def test_a_dry_run_writes_nothing_and_says_all(home: Home) -> None:
    """The envelope as it would be, and each change with its reason; with -v the message, too."""
    home.configure('[submission]\ndefault_domain = "example.org"\naliases = { root = ["anna@example.com", "bob"] }\n')
    data = "From: root\nTo: Root <root>\nBcc: x@example.net\nSubject: grüße\n\nhi\n".encode()
    done = home.send("-t", "--dry-run", "-v", input=data)
    assert (done.returncode, done.stderr) == (0, b"")
    lines = done.stdout.decode().partition("nothing was queued")[0].splitlines()
    words = [" ".join(line.split()) for line in lines]
    assert words[:5] == [
        "sender root@example.org", "recipient (to) anna@example.com", "recipient (to) bob@example.org", "recipient (bcc) x@example.net",
        "subject grüße",
    ]  # fmt: skip
    assert "changed From root root@example.org submission.default_domain" in words
    assert "removed Bcc x@example.net – nobody but its recipient may know" in words
    assert any(line.startswith("added Message-ID – <") and line.endswith("@host.example.com> there was none") for line in words)
    assert "mended Subject grüße =?utf-8?b?Z3LDvMOfZQ==?= it has octets above 127 and does not say what they are" in words
    content = done.stdout.partition(b"dry run\n\n")[2]
    assert content.startswith(b"From: root@example.org\r\nTo: anna@example.com,\r\n bob@example.org\r\nSubject: =?utf-8?b?")
    assert not Path(home.spool.root).exists()


def test_a_dry_run_as_json(home: Home) -> None:
    """As a message that was queued, without an ID and a status, and with all changes."""
    done = home.send(*TO, "--subject", "x", "--dry-run", "--json")
    shown = json.loads(done.stdout)
    assert (shown["id"], shown["status"], shown["from"], shown["subject"]) == (None, None, "me@example.com", "x")
    assert [(change["action"], change["what"], change["why"]) for change in shown["changes"]] == [
        ("added", "Date", "there was none"), ("added", "Message-ID", "there was none"),
    ]  # fmt: skip
    assert set(shown["changes"][0]) == {"action", "what", "before", "after", "why"}
    assert not Path(home.spool.root).exists()


def test_what_is_refused_is_refused_in_a_dry_run(home: Home) -> None:
    """With the same code and the same words."""
    home.refused(home.send("--dry-run", "root"), 65, "'root' is not an address: it has no domain")


def test_mending_is_told_where_that_is_asked_for(home: Home) -> None:
    """With -v on standard error, with --json among the data; else it is done in silence."""
    data = b"Subject: x\n\n" + b"y" * 2000
    assert home.send("you@example.net", input=data).stderr == b""
    told = home.send("-v", "you@example.net", input=data)
    assert told.returncode == 0
    assert b"mailer: mended body: 7bit \xe2\x86\x92 quoted-printable (it has a line of more than 998 octets)\n" in told.stderr
    shown = json.loads(home.send("--json", "you@example.net", input=data).stdout)
    assert [(change["action"], change["what"]) for change in shown["changes"]] == [("mended", "body")]
    assert "changes" not in json.loads(home.send("--json", "you@example.net").stdout)


def test_what_cannot_be_mended_is_a_warning(home: Home) -> None:
    """A signed message is queued as it is; who wants silence has it, and who wants none of it says --strict."""
    data = b"DKIM-Signature: v=1\nFrom: me@example.com\nSubject: x\n\n" + b"y" * 2000 + b"\n"
    done = home.send("you@example.net", input=data)
    assert done.returncode == 0
    assert done.stderr == b"mailer: left body: it has a line of more than 998 octets, and it is signed or encrypted\n"
    assert b"y" * 2000 in home.spool.content(*home.queued())
    assert home.send("-q", "you@example.net", input=data).stderr == b""
    assert home.send("--strict", "you@example.net", input=data).returncode == 65


def test_international_addresses(home: Home) -> None:
    """A domain goes as A-labels (RFC 5891, where ß is a letter of its own), a name before the @ as it is."""
    message = sent(home, "--from", "me@example.com", "--to", "Jo <jo@faß.example>", "--cc", "jörg@bücher.example", "--text", "x")
    assert message["To"] == "Jo <jo@xn--fa-hia.example>"
    content = home.spool.content(*home.queued())
    assert "Cc: jörg@bücher.example\r\n".encode() in content
    envelope = home.spool.read(*home.queued()).envelope
    assert [to.address for to in envelope.recipients] == ["jo@xn--fa-hia.example", "jörg@bücher.example"]
