"""Filing: what an owner says is done with his mail, once, and none is lost by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.filing import carry
from mailer.mail.problem import Problem
from mailer.mailbox.api import MOST_KEYWORDS, Frozen, OverQuota, Quota
from mailer.mailbox.discarded import DISCARDED

from .letterbox import ANN, NOW, Letterbox, mail

VACATION = 'require ["vacation", "vacation-seconds"]; vacation :days 2 :subject "Away" "Back on Monday. Ä";'


def test_who_has_said_nothing_gets_mail_in_the_inbox(letterbox: Letterbox) -> None:
    """And what filters have marked as unwanted in the folder for that."""
    assert letterbox.file(mail()) == {"INBOX": 1}
    assert letterbox.file(mail(), junk=True) == {"INBOX": 1, "Junk": 1}


def test_a_script_files(letterbox: Letterbox) -> None:
    """Into a folder that is made, with flags; what it says nothing about stays in the inbox."""
    letterbox.script(
        'require ["fileinto","imap4flags"]; if header :contains "subject" "list" { fileinto :flags ["\\\\Seen","Work"] "A/B"; }'
    )
    assert letterbox.file(mail(subject="a list")) == {"A/B": 1}
    assert letterbox.file(mail()) == {"A/B": 1, "INBOX": 1}
    with letterbox.premises.ann() as box:
        folder = box.folder("A/B")
        assert folder is not None
        (entry,) = box.entries(folder.id)
        assert (entry.flags.name, [*entry.keywords], folder.unseen) == ("SEEN", ["Work"], 0)


def test_two_actions_into_one_folder_are_one(letterbox: Letterbox) -> None:
    """Whatever they are called."""
    letterbox.script('require ["fileinto","special-use"]; keep; fileinto "inbox"; fileinto "Trash"; discard; fileinto "A"; fileinto "A";')
    assert letterbox.file(mail()) == {"INBOX": 1, "Trash": 1, "A": 1}


def test_what_is_discarded_is_in_the_trash(letterbox: Letterbox) -> None:
    """Where its owner finds it, should the rule have been wrong."""
    letterbox.script("discard;")
    assert letterbox.file(mail()) == {"Trash": 1}


def test_a_name_that_no_folder_has_is_the_inbox(letterbox: Letterbox) -> None:
    """What Sieve takes for a name need not be one here."""
    letterbox.script('require "fileinto"; fileinto "a//b";')
    assert letterbox.file(mail()) == {"INBOX": 1}


def test_a_folder_by_its_use(letterbox: Letterbox) -> None:
    """It is known by what it is for, whatever it is called."""
    letterbox.script('require ["fileinto","special-use"]; if specialuse_exists "\\\\Junk" { fileinto :specialuse "\\\\Junk" "Unwanted"; }')
    with letterbox.premises.ann() as box:
        box.rename("Junk", "Spam")
    assert letterbox.file(mail()) == {"Spam": 1}


def test_a_second_attempt_does_nothing_again(letterbox: Letterbox) -> None:
    """Neither puts, nor forwards, nor answers."""
    letterbox.script(f'require "copy"; {VACATION} redirect :copy "carl@example.com";')
    letter = letterbox.letter(mail())
    assert letterbox.again(letter) == letterbox.again(letter) == {"INBOX": 1}
    assert sorted(envelope.recipients[0].address for envelope, _ in letterbox.sent()) == ["bob@example.net", "carl@example.com"]


@pytest.mark.parametrize("step", ["note", "put", "_answer"])
def test_death_in_the_middle_sends_nothing_twice(letterbox: Letterbox, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """What was sent has the same ID when it is sent again, and the spool keeps one of a name."""
    letterbox.script(f'require "copy"; {VACATION} redirect :copy "carl@example.com";')
    letter = letterbox.letter(mail())
    with letterbox.premises.ann() as box, monkeypatch.context() as patched:
        where: object = {"note": box.scripts, "put": box, "_answer": carry}[step]

        def died(*_: object, **__: object) -> None:
            raise OSError("died")

        patched.setattr(where, step, died)
        with pytest.raises(OSError, match="died"):
            letterbox.filing.file(box, letter)
    assert letterbox.again(letter) == {"INBOX": 1}
    assert len(letterbox.sent()) == 2


def test_mail_that_waits_for_room_is_forwarded_once(letterbox: Letterbox) -> None:
    """However often it is tried, and although the first has left the spool."""
    letterbox.script('require "copy"; redirect :copy "carl@example.com";')
    letter = letterbox.letter(mail())._replace(quota=Quota(1))
    with pytest.raises(OverQuota):
        letterbox.again(letter)
    (first,) = letterbox.sent()
    Path(letterbox.door.settings.spool, "queued", first[0].id).unlink()
    with pytest.raises(OverQuota):
        letterbox.again(letter)
    assert letterbox.sent() == []


def test_what_is_passed_on_is_as_it_came(letterbox: Letterbox) -> None:
    """No octet is changed, so that signatures hold; who it was for is said beside it, and its sender is rewritten when it leaves."""
    letterbox.script('redirect "carl@example.com";')
    content = mail("DKIM-Signature: v=1; b=x")
    assert letterbox.file(content) == {}
    ((envelope, left),) = letterbox.sent()
    assert left == content
    assert envelope.foreign
    assert (envelope.sender, envelope.recipients[0].behalf) == ("bob@example.net", ANN)
    assert letterbox.file(content, via="submission") == {}
    assert letterbox.sent()[1][1] == b"Delivered-To: ann@example.com\r\n" + content


def test_mail_is_passed_on_to_nobody_who_was_not_asked(letterbox: Letterbox) -> None:
    """An address elsewhere counts when it was confirmed; until then mail stays here, and the owner hears of it once a day."""
    letterbox.script('redirect "spy@example.org";')
    assert letterbox.file(mail()) == {"INBOX": 1}
    assert letterbox.file(mail()) == {"INBOX": 2}
    ((envelope, told),) = letterbox.sent()
    assert envelope.recipients[0].address == ANN
    assert b"not forwarded to spy@example.org, which was not confirmed" in told
    with letterbox.premises.ann() as box:
        box.scripts.add_forward("Spy@example.org", "rules", NOW, confirmed=True)
    assert letterbox.file(mail()) == {"INBOX": 2}
    assert letterbox.sent()[1][0].recipients[0].address == "spy@example.org"


def test_unwanted_mail_is_neither_passed_on_nor_answered(letterbox: Letterbox) -> None:
    """It would be we who sent it."""
    letterbox.script(VACATION + 'redirect "carl@example.com";')
    assert letterbox.file(mail(), junk=True) == {"Junk": 1}
    assert letterbox.sent() == []


def test_a_script_that_fails_leaves_the_inbox(letterbox: Letterbox) -> None:
    """Nothing of it is done, and the owner hears of it, the same thing once a day."""
    letterbox.script('require ["fileinto","variables"]; fileinto "A"; fileinto "${subject}";')
    for _ in range(3):
        letterbox.file(mail())
    assert letterbox.folders() == {"INBOX": 3}
    ((envelope, told),) = letterbox.sent()
    assert (envelope.sender, envelope.recipients[0].address) == ("", ANN)
    assert b"script own: line 1: " in told
    letterbox.premises.now += 86_500
    letterbox.file(mail())
    assert len(letterbox.sent()) == 2


def test_the_notice_itself_is_filed(letterbox: Letterbox) -> None:
    """It has the null sender, of which nobody is told, and no rule of the owner makes a circle of it."""
    letterbox.script(VACATION + 'redirect "ann@example.com"; if header :contains "subject" "rules" { redirect "spy@example.org"; }')
    letterbox.file(mail())
    assert letterbox.file(mail("Auto-Submitted: auto-generated", subject="Your rules"), sender="") == {"INBOX": 2}
    assert len(letterbox.sent()) == 1  # the answer to the first
    letterbox.file(mail(subject="Your rules"))
    assert len(letterbox.sent()) == 2  # and one notice


def test_a_notice_that_says_something_else_each_time_makes_no_circle(letterbox: Letterbox) -> None:
    """A script that fails by what each message has of its own, as its ID, is told of once, not once for each notice."""
    letterbox.script('require "variables"; if header :matches "message-id" "*" { redirect "${1}"; }')
    letterbox.file(mail())
    for _ in range(3):
        letterbox.file(letterbox.sent()[-1][1], sender="")
    assert len(letterbox.sent()) == 1
    assert letterbox.folders() == {"INBOX": 4}


def test_a_stranger_makes_no_storm_of_notices(letterbox: Letterbox) -> None:
    """What is told may have words of his in it, another each time; the owner gets few notices a day all the same."""
    letterbox.script('require "variables"; if header :matches "subject" "*" { redirect "${1}"; }')
    for nth in range(20):
        letterbox.file(mail(subject=f"{nth}@example.org"))
        letterbox.file(mail(subject=f"{nth} is no address"))
    assert letterbox.folders() == {"INBOX": 40}
    assert len(letterbox.sent()) == 5
    letterbox.premises.now += 86_500
    letterbox.file(mail(subject="x@example.org"))
    assert len(letterbox.sent()) == 6


def test_a_disk_that_is_full_has_it_tried_again(letterbox: Letterbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be sent now keeps the letter in the spool, and nothing is put."""
    letterbox.script('redirect "carl@example.com";')

    def full(*_: object) -> None:
        raise Problem("no room", "try-again")

    monkeypatch.setattr(carry, "put_alone", full)
    with pytest.raises(Problem, match="no room"):
        letterbox.file(mail())
    assert letterbox.folders() == {}


def test_what_needs_nothing_sent_goes_the_short_way(letterbox: Letterbox) -> None:
    """So that many letters for one mailbox are put together; what is passed on, or into two folders, is not."""
    letterbox.script(
        'require ["fileinto","copy","vacation"]; if header "subject" "one" { fileinto "A"; } '
        'elsif header "subject" "two" { keep; fileinto "A"; } '
        'elsif header "subject" "four" { vacation "gone"; } '
        'else { redirect "carl@example.com"; }'
    )
    with letterbox.premises.ann() as box:
        news = [letterbox.filing.plain(box, letterbox.letter(mail(subject=subject))) for subject in ("one", "two", "three", "four")]
    assert [each and each.folder for each in news] == ["A", None, None, None]


def test_the_rules_of_an_owner_are_asked_before_his_script(letterbox: Letterbox) -> None:
    """Where they decide, it is not asked; what cannot be read is told, and nothing is lost."""
    rule = (
        '{"name": "n", "conditions": [{"what": "subject", "how": "contains", "value": "one"}], "actions": [{"do": "file", "value": "R"}]}'
    )
    with letterbox.premises.ann() as box:
        box.scripts.set_rules([rule])
    letterbox.script('require "fileinto"; fileinto "S";')
    assert letterbox.file(mail(subject="one")) == {"R": 1}
    assert letterbox.file(mail(subject="two")) == {"R": 1, "S": 1}
    with letterbox.premises.ann() as box:
        box.scripts.set_rules(["{"])
    assert letterbox.file(mail(subject="one")) == {"R": 1, "S": 1, "INBOX": 1}
    assert b"rules: it is no JSON" in letterbox.sent()[0][1]


def test_what_was_discarded_goes_after_a_while(letterbox: Letterbox) -> None:
    """As long as deleted mail is kept it is in the trash; who takes it out, or takes the mark off, keeps it."""
    letterbox.script("discard;")
    for _ in range(3):
        letterbox.file(mail())
    with letterbox.premises.ann() as box:
        trash = box.with_role("trash")
        assert trash is not None
        box.flag(trash.id, [(2, 2)], "remove", keywords=[DISCARDED])
        box.move(trash.id, [(3, 3)], "INBOX")
        letterbox.premises.now += 7 * 86_400 - 10
        box.sweep(letterbox.premises.now)
        assert letterbox.folders() == {"Trash": 2, "INBOX": 1}
        letterbox.premises.now += 20
        box.sweep(letterbox.premises.now)
    assert letterbox.folders() == {"Trash": 1, "INBOX": 1}


def test_more_than_a_folder_can_have(letterbox: Letterbox) -> None:
    """A keyword too many, or a folder, leaves the letter in the inbox, and the owner hears why."""
    letterbox.script('require ["imap4flags","variables","fileinto"]; if header :matches "subject" "*" { addflag "${1}"; fileinto "A"; }')
    for nth in range(MOST_KEYWORDS):
        letterbox.file(mail(subject=f"k{nth}"))
    assert letterbox.file(mail(subject="one-more")) == {"A": MOST_KEYWORDS, "INBOX": 1}
    ((_, told),) = letterbox.sent()
    assert b"keywords at most" in told


def test_a_mailbox_that_is_moved_sends_nothing(letterbox: Letterbox) -> None:
    """What would be remembered is in the other place then; so all of it is tried again."""
    letterbox.script(f'require "copy"; {VACATION} redirect :copy "carl@example.com";')
    letter = letterbox.letter(mail())
    owners, now = letterbox.premises.owners, letterbox.premises.now
    (owner,) = owners.find([ANN])
    assert owner is not None
    owners.put(owner._replace(state="frozen", until=now + 60))
    with pytest.raises(Frozen):
        letterbox.again(letter)
    assert letterbox.sent() == []
    letterbox.premises.now += 61
    assert letterbox.again(letter) == {"INBOX": 1}
    assert len(letterbox.sent()) == 2


def test_mail_does_not_go_back(letterbox: Letterbox) -> None:
    """Who had it before, as its Delivered-To fields say, does not get it again: two who forward to each other make no circle."""
    letterbox.script('redirect "carl@example.com";')
    assert letterbox.file(mail("Delivered-To: <Carl@example.com>")) == {"INBOX": 1}
    assert letterbox.sent() == []


def test_mail_does_not_go_round_among_addresses_in_any_script(letterbox: Letterbox) -> None:
    """Whose next host takes no other mail than such as may have their names in its header: they are known again like all."""
    letterbox.script('redirect "jürgen@example.com";')
    letterbox.file(mail(), recipient="änn@example.com")
    ((_, content),) = letterbox.sent()
    assert content == "Delivered-To: änn@example.com\r\n".encode() + mail()
    letterbox.file(mail("Delivered-To: Jürgen@example.com"), recipient="änn@example.com")
    assert len(letterbox.sent()) == 1
