"""Conversations, over all folders."""

from __future__ import annotations

from mailer.mailbox.api import NewMail
from mailer.mailbox.box import OwnMailbox

from .premises import DAY, Premises, message


def thread(box: OwnMailbox, id: str) -> str:
    (mail,) = box.mails([id])
    assert mail is not None
    return mail.thread


def put(box: OwnMailbox, folder: str, content: bytes) -> str:
    return box.put([NewMail(folder, content)])[0].mail


def test_an_answer_belongs_to_what_it_answers(premises: Premises) -> None:
    """In whatever folder that is, and whatever its subject has become."""
    with premises.ann() as box:
        first = put(box, "INBOX", message("a", id="1@x"))
        own = put(box, "Sent", message("b", id="2@x", answers="1@x"))
        later = put(box, "Archive", message("c", id="3@x", answers="1@x 2@x"))
        other = put(box, "INBOX", message("a", id="4@x"))
        assert {thread(box, each) for each in (first, own, later)} == {first}
        assert thread(box, other) == other


def test_answers_that_come_before_what_they_answer(premises: Premises) -> None:
    """Are together with it when it comes."""
    with premises.ann() as box:
        answer = put(box, "INBOX", message("re", id="2@x", answers="1@x"))
        question = put(box, "INBOX", message("q", id="1@x"))
        assert thread(box, question) == thread(box, answer) == answer


def test_a_late_message_leaves_conversations_as_they_are(premises: Premises) -> None:
    """Of two that it refers to it belongs to the older; what was said of a message once stays, for clients keep it. RFC 8474 §5.2"""
    with premises.ann() as box:
        one = put(box, "INBOX", message("a", id="1@x"))
        two = put(box, "INBOX", message("b", id="2@x"))
        three = put(box, "Sent", message("c", id="3@x", answers="2@x"))
        both = put(box, "INBOX", message("d", id="4@x", answers="1@x 2@x"))
        assert [thread(box, each) for each in (one, two, three, both)] == [one, two, two, one]
        assert thread(box, put(box, "INBOX", message("e", answers="3@x"))) == two
        assert thread(box, put(box, "INBOX", message("f", answers="4@x"))) == one


def test_an_answer_that_refers_to_nothing_is_found_by_its_subject(premises: Premises) -> None:
    """Within 90 days; a message that is no answer begins its own, whatever it is about."""
    with premises.ann() as box:
        first = put(box, "INBOX", message("Dinner on Friday", id="1@x"))
        assert thread(box, put(box, "INBOX", message("Re: [list] Dinner on  Friday", id="2@x"))) == first
        fresh = put(box, "INBOX", message("Dinner on Friday", id="3@x"))
        assert thread(box, fresh) == fresh
        lone = put(box, "INBOX", message("Re: something else"))
        assert thread(box, lone) == lone
        nothing = put(box, "INBOX", message("Re:"))
        assert thread(box, nothing) == nothing
        premises.now += 91 * DAY
        late = put(box, "INBOX", message("AW: Re: Dinner on Friday", id="4@x"))
        assert thread(box, late) == late


def test_a_stranger_cannot_make_it_long(premises: Premises) -> None:
    """Of a thousand references the first and the nearest count, and one of a thousand letters is none."""
    with premises.ann() as box:
        first = put(box, "INBOX", message("a", id="1@x"))
        many = " ".join(f"{number}@many" for number in range(1000))
        assert thread(box, put(box, "INBOX", message("b", id="b@x", answers=f"{many} 1@x"))) == first
        long = "y" * 900 + "@x"
        alone = put(box, "INBOX", message("c", id=long))
        assert thread(box, put(box, "INBOX", message("d", answers=long))) != alone
        rows = box.engine.read(lambda rows: rows.run("SELECT COUNT(*) FROM reference WHERE owner = ?", (box.engine.owner,)))
        assert rows[0][0] <= 60
