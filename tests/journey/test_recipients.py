"""Who is no address, beside others who are: from the command line to the report."""

from __future__ import annotations

from .world import World

MESSAGE = b"From: me@here.example\nTo: good@example.net, nodomain@, Anna <third@example.net> x y\nSubject: nightly\n\nhello\n"


def test_one_bad_address_is_reported_and_the_others_get_it(world: World) -> None:
    """Exit code 0 with the bad ones named; delivered to the good ones; the sender is told, once, in the words of submission."""
    sink = world.sink()
    aliases = world.home / "aliases"
    aliases.write_text("nobody: /dev/null\nops: ops@example.net, |run\n")
    world.configure(sink, more=f'[submission]\naliases_file = "{aliases}"\n')
    done = world.mailer("sendmail", "-t", "--", "nobody", "ops", input=MESSAGE)
    assert done.code == 0
    assert "mailer: undeliverable: nodomain@: nothing stands after the @\n" in done.err
    assert f"mailer: undeliverable: ops: {aliases}:2: the alias ops leads to a command, and mail goes to addresses only\n" in done.err
    assert done.err.endswith("mailer: the message goes to the other 3 recipients, and a report to me@here.example\n")
    assert "undeliverable: nobody" not in done.err
    [id] = world.in_spool("queued")
    before = {one["address"]: (one["status"], one["ours"]) for one in world.status(id)["recipients"]}
    assert before["nobody"] == ("sent", True)
    assert before["nodomain@"] == before["ops"] == ("failed", True)
    assert before["good@example.net"] == ("queued", False)
    explained = world.mailer("explain", id).out.partition("What it waits for")[2]
    assert "nodomain@" not in explained
    world.once()
    mail, report = sorted(sink.received(2), key=lambda kept: kept.subject.startswith("Not delivered"))
    assert sorted(mail.recipients) == ["good@example.net", "ops@example.net", "third@example.net"]
    assert report.recipients == ["me@here.example"]
    text = " ".join(report.content.decode().replace("=\r\n", "").split())
    assert "<nodomain@>" in text
    assert "553 5.1.3" in text
    assert "550 5.3.5" in text
    assert "good@example.net>" not in text.partition("delivery-status")[0]
    status = {one["address"]: one["status"] for one in world.status(id)["recipients"]}
    assert status == {
        "nobody": "sent", "ops@example.net": "sent", "ops": "failed", "good@example.net": "sent", "nodomain@": "failed",
        "third@example.net": "sent", "Anna <third@example.net> x y": "failed",
    }  # fmt: skip


def test_what_is_discarded_is_done(world: World) -> None:
    """Mail to an alias of /dev/null only is sent, and nobody is called."""
    sink = world.sink()
    world.configure(sink, more='[submission]\naliases = { nobody = "/dev/null" }\n')
    id = world.send("nobody")
    world.once()
    assert world.status(id)["status"] == "sent"
    assert sink.kept == []
