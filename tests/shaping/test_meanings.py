"""What refusals mean: real replies of servers and operators, and what a relay's refusal of something of ours leads to."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING

import pytest

from mailer.config.expression import Phrase, says
from mailer.config.file import config_of
from mailer.mail.outcome import REFUSALS, Cause
from mailer.shaping.blame import BLAME, mended
from mailer.shaping.replies import Reactions, shipped
from mailer.shaping.table import TermsTable
from mailer.smtp.reply import ReplyReader
from mailer.transport.verdict import OURS_TO_MEND, judge

if TYPE_CHECKING:
    from mailer.config.sections.shaping import Reaction

MEANINGS = [rule for rule in shipped() if rule.means]
EXCEPTED: dict[tuple[str, str], str | None] = {}
KNOWN = Reactions(TermsTable(config_of("", b"")))

REPLIES = """
rcpt name_refused 504 5.5.2 <web1>: Helo command rejected: need fully-qualified hostname
rcpt name_refused 450 4.7.1 <web1.local>: Helo command rejected: Host not found
ehlo name_refused 501 Syntactically invalid HELO argument(s)
ehlo name_refused 501 5.0.0 Invalid domain name
mail name_refused 550 Access denied - Invalid HELO name (See RFC2821 4.1.1.1)
ehlo name_refused 421 4.7.0 [192.0.2.1] Invalid EHLO
rcpt relaying_denied 554 5.7.1 <you@example.net>: Relay access denied
rcpt relaying_denied 454 4.7.1 <you@example.net>: Relay access denied
rcpt relaying_denied 550 relay not permitted
rcpt relaying_denied 550 5.7.1 <you@example.net>... Relaying denied. IP name lookup failed [192.0.2.1]
rcpt relaying_denied 550 5.7.1 Unable to relay
rcpt relaying_denied 550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain
body relaying_denied 550 5.7.64 TenantAttribution; Relay Access Denied SMTP
mail relaying_denied 550 5.7.1 Invalid credentials for relay [192.0.2.1].
rcpt relaying_denied 550 5.7.0 Mail relay denied [192.0.2.1]. Invalid credentials for one of the domains in: example.com
rcpt relaying_denied 553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)
rcpt login_wanted 550 relay not permitted, authentication required
mail login_wanted 530 5.7.0 Authentication Required. For more information, go to https://support.google.com/mail/?p=WantAuthError
mail login_wanted 530 5.7.57 Client not authenticated to send mail
mail tls_wanted 530 5.7.0 Must issue a STARTTLS command first.
auth login_refused 534 5.7.9 Application-specific password required.
auth login_refused 535 5.7.8 Username and Password not accepted. BadCredentials
auth account_disabled 535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.
auth quota_used_up 451 Authentication failed: Maximum credits exceeded
body sender_refused 550 5.7.60 SMTP; Client does not have permissions to send as this sender
body sender_refused 554 5.2.252 SendAsDenied; me@example.com not allowed to send as you@example.com
rcpt sender_refused 553 5.7.1 <me@example.com>: Sender address rejected: not owned by user you@example.com
rcpt login_wanted 553 5.7.1 <me@example.com>: Sender address rejected: not logged in
body sender_refused 554 Message rejected: Email address is not verified. The following identities failed the check: me@example.com
body sender_refused 550 The from address does not match a verified Sender Identity. Mail cannot be sent until this error is resolved.
body sender_refused 553 Relaying disallowed as me@example.com
mail sender_refused 553 Sender is not allowed to relay emails
body sender_refused 551 5.7.1 Not authorised to send from this header address
body sender_refused 550 5.7.0 From address is not one of your addresses.
mail sender_refused 550 Requested action not taken: mailbox unavailable Sender address is not allowed.
body sender_refused 550 5.7.1 The 'From' address you supplied is not a Sender Signature on your account.
body sender_refused 554 5.7.1 Access denied: User is not authorized to perform `ses:SendRawEmail' on resource
rcpt sender_unknown 550 5.1.8 <root@web1>: Sender address rejected: Domain not found
rcpt sender_unknown 450 4.1.8 <root@web1.local>: Sender address rejected: Domain not found
rcpt sender_unknown 504 5.5.2 <root@web1>: Sender address rejected: need fully-qualified address
mail sender_unknown 553 5.1.8 <root@web1>... Domain of sender address root@web1 does not exist
mail sender_unknown 553 5.5.4 <root>... Domain name required for sender address root
rcpt sender_unknown 550 Sender verify failed
rcpt sender_unknown 550 Verification failed for <root@web1>
body quota_used_up 550 5.4.5 Daily user sending limit exceeded. For more information on Gmail sending limits
body quota_used_up 550 5.4.5 Daily SMTP relay limit exceeded for customer.
body quota_used_up 454 Throttling failure: Daily message quota exceeded
body too_fast 454 Throttling failure: Maximum sending rate exceeded
body quota_used_up 554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; Failed to process message
body quota_used_up 550 5.1.90 Your message can't be sent because you've reached your daily limit for message recipients
rcpt quota_used_up 550 Domain example.com has exceeded the max emails per hour (100/100 (100%)) allowed.
body account_disabled 550 5.1.8 Access denied, bad outbound sender AS(42004)
body account_disabled 550 5.4.6 Unusual sending activity detected. Please try after sometime
mail address_refused 554 5.7.1 <unknown[192.0.2.1]>: Client host rejected: Access denied
rcpt address_refused 450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.1]
body address_refused 550 5.7.25 [192.0.2.1] The IP address sending this message does not have a PTR record setup
rcpt address_refused 421 4.7.0 IP not in whitelist for RCPT domain, closing connection.
rcpt blocklisted 554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org
mail blocklisted 550 5.7.606 Access denied, banned sending IP [192.0.2.1]
greeting blocklisted 554 gmx.net (mxgmx104) Nemesis ESMTP Service not available No SMTP service IP address is block listed.
body unauthenticated 550 5.7.26 Unauthenticated email from example.com is not accepted due to domain's DMARC policy.
body unauthenticated 550 5.7.1 Email rejected per DMARC policy for example.com
rcpt unauthenticated 550 5.7.23 <you@example.net>: Recipient address rejected: Message rejected due to: SPF fail
body malformed 550 5.7.1 This message is not RFC 5322 compliant. There are multiple Subject headers.
body malformed 554 Transaction failed: Duplicate header 'From'.
body malformed 550 5.7.1 Messages missing a valid address in From: header, or having no From: header, are not accepted.
body malformed 550 5.7.1 Messages with multiple addresses in From: header are not accepted.
rcpt no_mailbox 550 5.1.1 <you@example.net>: Recipient address rejected: User unknown in local recipient table
rcpt no_mailbox 550 No such user here
rcpt no_mailbox 550 Unrouteable address
rcpt mailbox_disabled 550 5.2.1 The email account that you tried to reach is disabled.
rcpt mailbox_full 452 4.2.2 The email account that you tried to reach is over quota.
rcpt mailbox_full 552 5.2.2 mailbox is full
rcpt greylisted 450 4.2.0 <you@example.net>: Recipient address rejected: Greylisted, see http://postgrey.example
body too_large 552 5.3.4 Message size exceeds fixed limit
body unwanted 550 5.7.1 Message contains a virus
body unwanted 552 5.7.0 This message was blocked because its content presents a potential security issue.
auth none 454 4.7.0 Temporary authentication failure: Connection lost to authentication server
rcpt no_mailbox 550 you@example.net User not listed in Domino Directory
rcpt no_mailbox 550 5.1.1 <you@example.net>: Recipient address rejected: undeliverable address: host mx[::1] said: 554 Relay access denied
rcpt none 450 4.1.1 <you@example.net>: Recipient address rejected: unverified address: host mx[::1] said: 454 4.7.1 Relay access denied
rcpt none 550 Callout verification failed: 550 5.7.1 Client host blocked using zen.spamhaus.org
rcpt no_mailbox 550 Recipient verification failed for <you@example.net>
body no_mailbox 554 delivery error: dd This user doesn't have a yahoo.com account (you@yahoo.com)
body no_mailbox 552 1 Requested mail action aborted, mailbox not found
rcpt sender_unknown 550 5.1.0 <me@example.com>: Sender address rejected: User unknown in virtual mailbox table
rcpt mailbox_disabled 550 Account is not active
body mailbox_disabled 550 5.2.1 <you@example.net> account is disabled
rcpt mailbox_full 552 5.2.2 Recipient has exceeded their quota limit
rcpt mailbox_full 552 Mailbox limit exeeded for this email address
rcpt too_fast 550 5.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages
rcpt restricted 550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required
rcpt restricted 550 5.7.1 Sender not authorized to send to this recipient
rcpt restricted 550 5.7.1 The recipient does not accept mail from unauthenticated senders
rcpt restricted 550 5.7.2 Sender not allowed: this list accepts posts from members only
rcpt restricted 550 5.7.1 Blacklisted by recipient
body unwanted 554 5.7.1 Spam message rejected; DKIM_INVALID, DMARC_NONE, URIBL_BLOCKED
body unwanted 550 5.7.1 Your email was rejected due to having a domain present in the Spamhaus DBL
body unwanted 550 A URL in this email (example.com) is listed on https://list.example. Please resolve and retry
body unwanted 550 5.7.1 Rejected: message contains links with bad reputation
rcpt sender_refused 554 5.7.1 Service unavailable; Sender address [me@example.com] blocked using dbl.list.example
rcpt none 554 5.7.1 Service unavailable; Recipient address [you@example.net] blocked using list.example
mail account_disabled 421 Domain a.example is not allowed to send: Please activate your Mailgun account.
rcpt login_wanted 530 5.7.0 Must issue an AUTH command first
rcpt sender_unknown 450 4.1.8 <me@example.com>... Domain of sender address me@example.com does not resolve
rcpt address_refused 451 4.1.8 Client IP address [192.0.2.1] does not resolve
rcpt address_refused 451 4.1.8 Possibly forged hostname for [192.0.2.1]
rcpt address_refused 550 5.7.1 Fix reverse DNS for 192.0.2.1
rcpt relaying_denied 550 5.7.1 <you@example.net>... Relaying denied
rcpt login_wanted 550 5.7.1 <you@example.net>... Relaying denied. Proper authentication required.
rcpt blocklisted 550 5.7.1 Rejected: 192.0.2.1 listed at dnsbl.example
mail sender_refused 550 5.7.1 Mail from example.com refused by blackhole site rhsbl.example
mail sender_unknown 550 5.1.2 Illegal MX record for host example.com
ehlo name_refused 501 5.5.4 Invalid command arguments: Invalid domain name
rcpt too_fast 421 4.3.2 Connection rate limit exceeded.
body malformed 552 5.6.0 Headers too large (32768 max)
rcpt sender_unknown 556 5.1.8 <me@example.com>: Sender address rejected: Domain example.com does not accept mail (nullMX)
rcpt too_fast 450 4.7.1 Error: too much mail from 192.0.2.1
rcpt address_refused 503 5.7.0 Error: access denied for unknown[192.0.2.1]
auth login_refused 535 Incorrect authentication data
rcpt sender_unknown 550 Sender verification failed
mail sender_unknown 501 root: sender address must contain a domain
rcpt unauthenticated 550 [SPF] 192.0.2.1 is not allowed to send mail from example.com
rcpt sender_refused 550 sender envelope address me@example.com is locally blacklisted here.
rcpt blocklisted 550 sender IP address 192.0.2.1 is locally blacklisted here.
body malformed 550 maximum allowed line length is 998 octets, got 1200
mail sender_unknown 553 5.1.7 Invalid command arguments: Sender address syntax error
body unauthenticated 421 5.7.32 Your email was blocked because the From: header isn't aligned with either the SPF or DKIM domain
body unauthenticated 550 5.7.40 Your message was blocked because the sending domain doesn't have a DMARC record
auth none 504 5.7.40 Unrecognized authentication type.
body tls_wanted 550 5.7.29 This message was blocked because it wasn't sent over a TLS connection.
body address_refused 451 4.7.23 The sending IP address for this message doesn't have a PTR record
rcpt account_disabled 550 5.7.0 Email relay denied 192.0.2.1. The sending email account has been temporarily suspended due to abuse.
body blocklisted 550 5.7.1 This message is likely suspicious due to the very low reputation of the sending IP address. To protect from spam
body malformed 552 5.3.4 Your message exceeded Google's message header size limits.
body none 550 5.7.1 The user or domain that you are sending to (or from) has a policy that prohibits the email that you sent.
rcpt no_mailbox 553 5.1.2 We weren't able to find the recipient domain.
body quota_used_up 554 5.2.2 Submission quota exceeded
rcpt no_mailbox 550 5.4.1 Recipient address rejected: Access denied
rcpt no_mailbox 550 5.7.504 [you@example.net]: Recipient address rejected: Access denied
rcpt restricted 550 5.7.12 Sender was not authenticated by organization
rcpt restricted 550 5.7.513 Service unavailable, Client host [192.0.2.1] blocked by example.net using Customer Block list (AS16012607)
body too_fast 432 4.3.2 STOREDRV.Deliver; recipient thread limit exceeded
body sender_refused 550 5.7.750 Service unavailable. Client blocked from sending from unregistered domains
rcpt address_refused 550 5.7.510 Access denied, [example.net] does not accept email over IPv6
rcpt unauthenticated 550 SPF Sender Invalid - envelope rejected
rcpt restricted 550 Administrative prohibition envelope blocked
rcpt tls_wanted 553 This route requires encryption (TLS)
rcpt relaying_denied 451 Open relay not allowed
rcpt account_disabled 451 Account outbounds disabled
greeting blocklisted 554 192.0.2.1 - None/bad reputation. Ask your postmaster for help or to contact tobr@rx.t-online.de for reset. (NOWL)
greeting address_refused 554 gmx.net (mxgmx104) Nemesis ESMTP Service not available No SMTP service Bad DNS PTR resource record.
greeting blocklisted 554 mx.example 192.0.2.1 blocked. See https://postmaster.comcast.net/smtp-error-codes.php#BL000001
body unwanted 554 Message not allowed - [PH01] Email not accepted for policy reasons.
body unauthenticated 554 5.7.1 [HME1] This message was blocked for failing both SPF and DKIM authentication checks.
body account_disabled 554 Message rejected: Sending paused for this account.
mail login_wanted 550 Unauthenticated senders not allowed
body too_fast 452 Too many recipients received this hour (throttled)
rcpt mailbox_disabled 550 5.2.1 <you@example.net>... Mailbox disabled for this recipient
rcpt unauthenticated 550 SPF check failed.
mail account_disabled 550 This account is locked
body unwanted 550 5.7.1 No spam please
rcpt none 550 5.7.1 Rejected
rcpt none 554 Transaction failed
rcpt none 550 Requested action not taken
body none 451 4.3.0 Temporary System Problem. Try again later.
body none 554 5.7.1 Message refused by policy
rcpt none 550 5.1.0 Address rejected.
"""
ORDINARY = """
both 550 5.1.1 <you@example.net>: Recipient address rejected: User unknown in virtual mailbox table
both 550 5.1.1 <you@example.net>... User unknown
rcpt 550 5.1.1 The email account that you tried to reach does not exist. Please try double-checking the recipient's email address
both 550 No such user here
both 550 5.1.1 <you@example.net> User doesn't exist: you@example.net
both 550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup
both 550 5.5.0 Requested action not taken: mailbox unavailable
both 550 5.4.1 Recipient address rejected: Access denied
both 550 Requested action not taken: mailbox unavailable
rcpt 550 <you@example.net>: inactive user
both 551 User not local; please try <you@example.org>
both 551 5.7.1 User has moved; please try you@example.org
both 552 5.2.2 <you@example.net>: user is over quota
rcpt 552 5.2.2 The email account that you tried to reach is over quota.
both 452 4.2.2 Mailbox full
both 422 4.2.2 <you@example.net> Quota exceeded (mailbox for user is full)
both 552 Mail size limit exceeded
both 552 5.3.4 Message size exceeds fixed limit
rcpt 550 5.2.1 The email account that you tried to reach is disabled.
both 550 5.2.1 <you@example.net>... Mailbox disabled for this recipient
rcpt 550 This account has been disabled or discontinued
rcpt 550 account closed
both 550 5.7.1 You are not allowed to post to this mailing list
both 550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required; Delivery restriction check failed
both 550 5.7.1 RESOLVER.RST.AuthRequired; authentication required
both 550 5.7.1 RESOLVER.RST.NotAuthorized; not authorized
both 550 5.7.124 Sender not in allowed-senders list
both 554 5.7.1 <you@example.net>: Recipient address rejected: Access denied
both 450 4.2.0 <you@example.net>: Recipient address rejected: Greylisted, see http://postgrey.example/help
both 450 4.1.1 <you@example.net>: Recipient address rejected: unverified address: Address verification in progress
both 451 4.7.1 Greylisting in action, please come back in 00:05:00
body 550 5.7.1 Message contains spam or virus
body 554 5.7.1 Message refused, URL blacklisted by SURBL
body 552 5.7.0 This message was blocked because its content presents a potential security issue.
body 550 5.7.1 This message is likely unsolicited email. To reduce the amount of spam sent to Gmail, this message has been blocked.
body 550 5.7.1 Attachment of type .exe is not allowed
body 554 5.4.6 Message exceeded 50 hops, this may indicate an email loop.
body 554 5.4.14 Hop count exceeded - possible mail loop
both 452 4.5.3 Error: too many recipients
both 450 4.2.1 The user you are trying to contact is receiving mail too quickly.
both 550 5.2.121 Recipient's per hour message receive limit from specific sender exceeded
both 432 4.3.2 STOREDRV.Deliver; recipient thread limit exceeded
both 451 4.3.0 Temporary lookup failure
both 451 4.3.5 Server configuration error
both 452 4.3.1 Insufficient system storage
both 556 5.1.10 <you@example.net>: Recipient address rejected: Domain example.net does not accept mail (nullMX)
both 550 5.1.2 <you@example.net>: Recipient address rejected: Domain not found
both 504 5.5.2 <you>: Recipient address rejected: need fully-qualified address
both 501 5.1.3 Bad recipient address syntax
both 550 5.7.507 Access denied, rejected by recipient
both 550 Envelope blocked - User Entry
both 550 5.7.1 Rejected due to user rules
body 550 5.6.0 Lone CR or LF in headers or body
body 554 5.6.0 Email message is malformed. Not accepted.
"""
TABLE = [line.split(" ", 2) for line in REPLIES.strip().splitlines()]


@pytest.mark.parametrize(("phase", "means", "line"), TABLE, ids=[line[2][:60] for line in TABLE])
def test_what_others_say_is_known(phase: str, means: str, line: str) -> None:
    """By words and enhanced codes that say it; what says nothing means nothing."""
    (reply,) = ReplyReader().feed(line.encode() + b"\r\n")
    assert (KNOWN.meaning("relay:out", phase, reply) or "none") == means


@pytest.mark.parametrize("line", ORDINARY.strip().splitlines())
def test_ordinary_refusals_are_not_ours(line: str) -> None:
    """What hosts say of recipients, of messages and of themselves keeps nothing waiting, and blames no setting."""
    phase, _, said = line.partition(" ")
    (reply,) = ReplyReader().feed(said.encode() + b"\r\n")
    for each in ("rcpt", "body") if phase == "both" else (phase,):
        assert KNOWN.meaning("relay:out", each, reply) not in OURS_TO_MEND


def matched(phase: str, line: str) -> Reaction | None:
    """The first rule of the shipped ones that says what a reply means."""
    (reply,) = ReplyReader().feed(line.encode() + b"\r\n")
    said = str(reply).lower()
    rules = (rule for rule in MEANINGS if reply.code in (rule.codes or (reply.code,)) and phase in (rule.phases or (phase,)))
    return next((rule for rule in rules if any(says(words, said) for words in rule.words)), None)


def test_every_rule_has_a_reply_that_it_and_no_earlier_one_explains() -> None:
    """None is there that is not reached by what somebody says."""
    reached = {id(matched(phase, line)) for phase, _, line in TABLE}
    assert [rule.words[:3] for rule in MEANINGS if id(rule) not in reached] == []


@pytest.mark.slow
def test_all_words_are_reached() -> None:
    """Each phrase says what its rule does, in the first phase that the rule names: none is hidden by a rule before it that means else."""
    hidden = {}
    for rule in MEANINGS:
        code = (rule.codes or (550,))[0]
        for words in rule.words:
            said = " x ".join(words)
            line = said if said[:3].isdigit() else f"{code} {said}"
            for phase in rule.phases or ("mail", "rcpt", "body"):
                first = matched(phase, line + " x")
                if first is None or first.means != rule.means:
                    hidden[str(words), phase] = first and first.means
    assert hidden == EXCEPTED


def test_all_words_name_who_says_them() -> None:
    """Above each group: a program, a provider with its page, a standard, or that they were seen. What is just plain is never ours."""
    text = files("mailer.shaping").joinpath("meanings.toml").read_text()
    head, *rules = text.split("\n[[reaction]]")
    sources = head.partition("Only words")[0]
    for rule in rules:
        groups = re.split(r"\n    # ", rule[rule.index("words = [") : rule.index("\n]\n")])
        assert groups[0].strip() == "words = [", f"words without a source: {groups[0]!r}"
        assert not ("\n    # Plain\n" in rule and re.search(r'means = "(\w+)"', rule)[1] in OURS_TO_MEND)  # type: ignore[index]
        for group in groups[1:]:
            names = re.split(r", |; ", re.sub(r" \[.*?\]|[:.] .*| \d[\d.]*| §.*", "", group.partition("\n")[0]))
            assert all(re.search(rf"\b{name.strip('.')}\b", sources) for name in names), group.partition("\n")[0]


@pytest.mark.parametrize("cause", sorted(OURS_TO_MEND))
def test_what_a_relay_refuses_of_ours_waits(cause: Cause) -> None:
    """In whatever phase and with whatever code; a stranger's word of the same kind is judged by its code, but for our name."""
    (reply,) = ReplyReader().feed(b"550 5.7.1 no\r\n")
    for phase in ("greeting", "ehlo", "mail", "rcpt", "data", "body"):
        assert judge(phase, "reply", reply, relay=True, cause=cause) == ("defer", "us")
    assert judge("rcpt", "reply", reply, relay=False, cause=cause).verdict == ("defer" if cause is Cause.NAME_REFUSED else "fail")


@pytest.mark.parametrize("cause", sorted(set(REFUSALS) - OURS_TO_MEND))
def test_what_is_not_ours_is_judged_by_its_code(cause: Cause) -> None:
    """The recipient's trouble and the message's own are final where the code is."""
    (reply,) = ReplyReader().feed(b"550 5.7.1 no\r\n")
    assert judge("rcpt", "reply", reply, relay=True, cause=cause) == ("fail", "recipient")


def test_what_is_ours_names_what_mends_it() -> None:
    """A setting with its line where somebody has written it, or what else helps."""
    assert all(mended(cause) for cause in OURS_TO_MEND)
    assert BLAME.keys() >= OURS_TO_MEND
    config = config_of("c.toml", b'[mailer]\nhostname = "web1"\n[relay.out]\nhost = "a.example"\nauthor = "me@example.com"\n')
    assert mended(Cause.NAME_REFUSED, config, "out").startswith("hostname of [mailer] (c.toml:2)")
    assert mended(Cause.SENDER_REFUSED, config, "out").startswith("author of [relay.out] (c.toml:5); ")


def test_the_words_of_the_operator_go_first() -> None:
    """A rule of the configuration says what a reply of one's own relay means, and known_replies = false leaves ours out."""
    rule = b'[[reaction]]\nwords = ["code * 17"]\nmatch = ["relay:out"]\nmeans = "quota_used_up"\n[delivery]\nknown_replies = false\n'
    relay = b'[relay.out]\nhost = "a.example"\n'
    reactions = Reactions(TermsTable(config_of("", rule + relay)))
    said = ReplyReader().feed(b"550 Code number 17\r\n550 5.1.1 user unknown\r\n")
    assert [reactions.meaning("relay:out", "rcpt", reply) for reply in said] == [Cause.QUOTA_USED_UP, None]
    assert reactions.meaning("relay:other", "rcpt", said[0]) is None


def test_phrases() -> None:
    """An asterisk stands for a few characters, in whatever order a text repeats its parts."""
    assert says(Phrase.read("sender * not allowed"), "sender a, sender <me@example.com> is not allowed here")
    assert not says(Phrase.read("sender * not allowed"), "not allowed: sender")
    assert not says(Phrase.read("sender * not allowed"), "sender " + "x" * 100 + " not allowed")
