"""What reply codes mean and what the sender can do: plain words as data.

Used by reports and by whoever explains an outcome to a person. A server's own words come first, always;
these stand below them. What the cause says comes first, where one is known. Else the most telling code wins: the enhanced code with
its class, then its subject and detail alone (RFC 3463 §3; the registry of RFC 5248 has later ones), then the SMTP code
(RFC 5321 §4.2.3).

Nothing is guessed: a code that servers give for anything (550, 554, 5.7.1) says that the host gave no reason that we know.
"""

from __future__ import annotations

from typing import NamedTuple

from mailer.mail.outcome import Cause


class Explanation(NamedTuple):
    """What a reply `means`, and what to `do` about it; both are sentences."""

    means: str
    do: str


_ADDRESS = "Check the address for a typing mistake, and whether it still exists."
_LATER = "Send it again later. If it is urgent, reach the recipient in another way."
_SMALLER = "Make it smaller, or put the large part where the recipient can fetch it."
_OPERATOR = "Tell the operator of this mail system, who has to change something."
_CONTENT = "Ask the recipient's mail administrator why, and quote the reply above."
_UNKNOWN = "The host gave no reason that we know; its own words above are all there is."
_ASK = "If they do not help, ask the recipient's mail administrator, and quote them."
_RECORD = "Tell the operator of this mail system: a DNS record or a signature of the sender's domain has to be mended."

ENHANCED: dict[str, Explanation] = {
    "1.0": Explanation("Something is wrong with the recipient's address.", _ADDRESS),
    "1.1": Explanation("There is no such mailbox there.", _ADDRESS),
    "1.2": Explanation("The domain of the address does not exist or cannot receive mail.", _ADDRESS),
    "1.3": Explanation("The address is not written as an address has to be.", _ADDRESS),
    "1.4": Explanation("The address fits more than one mailbox.", "Use the recipient's full address."),
    "1.6": Explanation("The recipient has moved, and no new address is known there.", "Ask the recipient for the new address."),
    "1.7": Explanation("The sender's address is not written as an address has to be.", "Correct the sender's address."),
    "1.8": Explanation("The domain of the sender's address does not exist or cannot receive mail.", "Correct the sender's address."),
    "1.9": Explanation("The message was taken by a system that cannot say what becomes of it.", "Ask the recipient whether it arrived."),
    "1.10": Explanation("The domain says that it receives no mail at all.", _ADDRESS),  # RFC 7505 §4.1
    "2.0": Explanation("Something is wrong with the recipient's mailbox.", _LATER),
    "2.1": Explanation("The mailbox exists but is switched off.", "Reach the recipient in another way."),
    "2.2": Explanation("The recipient's mailbox is full.", _LATER),
    "2.3": Explanation("The message is larger than this recipient may receive.", _SMALLER),
    "2.4": Explanation("The address is a mailing list, and the list could not be expanded.", "Tell the owner of the list."),
    "3.0": Explanation("Something is wrong with the recipient's mail system.", _LATER),
    "3.1": Explanation("The recipient's mail system is full.", _LATER),
    "3.2": Explanation("The recipient's mail system takes no mail at present.", _LATER),
    "3.3": Explanation("The recipient's mail system cannot do what this message needs.", _CONTENT),
    "3.4": Explanation("The message is larger than the recipient's mail system takes.", _SMALLER),
    "3.5": Explanation("A mail system on the way is set up wrongly.", _OPERATOR),
    "4.0": Explanation("The way to the recipient's mail system was disturbed.", _LATER),
    "4.1": Explanation("The recipient's mail system did not answer.", _LATER),
    "4.2": Explanation("The connection to the recipient's mail system broke.", _LATER),
    "4.3": Explanation("The name service (DNS) gave no answer for the recipient's domain.", _LATER),
    "4.4": Explanation("No way to the recipient's mail system is known.", _OPERATOR),
    "4.5": Explanation("The recipient's mail system is overloaded.", _LATER),
    "4.6": Explanation("The message went round in circles.", _OPERATOR),
    "4.7": Explanation("The message could not be delivered in the time that it may take.", _LATER),
    "5.0": Explanation("The two mail systems did not understand each other.", _OPERATOR),
    "5.1": Explanation("The other mail system did not know a command, or not at that point.", _OPERATOR),
    "5.2": Explanation("The other mail system did not understand a command.", _OPERATOR),
    "5.3": Explanation("The message has more recipients than are taken at a time.", "Send it to fewer recipients at a time."),
    "5.4": Explanation("The other mail system did not take an option of a command.", _OPERATOR),
    "5.6": Explanation("The sign-in data were longer than the other mail system takes.", _OPERATOR),  # RFC 4954 §6
    "6.0": Explanation("Something is wrong with the content of the message.", _CONTENT),
    "6.1": Explanation("The recipient's mail system does not take this kind of content.", "Send it in another format."),
    "6.2": Explanation("The content would have to be converted, and that is not allowed.", "Send it in another format."),
    "6.3": Explanation("The content would have to be converted, and that is not possible.", "Send it in another format."),
    "6.6": Explanation("The content of the message could not be fetched for delivery.", "Send it again."),  # RFC 4468
    "6.7": Explanation(
        "An address has letters beyond ASCII, which a mail system on the way cannot handle.",
        "Use another address of the recipient, or of yours, that is plain ASCII.",
    ),  # RFC 6531 §3.5
    "7.0": Explanation("The other mail system refused the message by its rules.", _CONTENT),
    "7.1": Explanation(_UNKNOWN, _ASK),  # RFC 3463 §3.8: not authorised; servers give it for every rule that they have
    "7.2": Explanation("This sender may not write to that mailing list.", "Ask the owner of the list."),
    "7.4": Explanation("The other mail system lacks a security feature that the message needs.", _OPERATOR),
    "7.5": Explanation("The encryption failed.", _OPERATOR),
    "7.7": Explanation("The message was changed on its way, or looks so.", _OPERATOR),
    "7.8": Explanation("The relay did not accept our user name and password.", _OPERATOR),  # RFC 4954 §6
    "7.9": Explanation("The relay does not accept the way in which we sign in.", _OPERATOR),  # RFC 4954 §6
    "7.10": Explanation("The other mail system demands encryption.", _OPERATOR),  # RFC 5248
    "7.11": Explanation("The relay wants an encrypted connection before it lets us sign in.", _OPERATOR),  # RFC 4954 §6
    "7.13": Explanation("The account on that mail system is disabled.", _OPERATOR),
    "7.15": Explanation("The message has a priority below what is taken at present.", _LATER),
    "7.17": Explanation("The mailbox has another owner now.", "Ask the recipient for the present address."),  # RFC 7293
    "7.18": Explanation("The domain has another owner now.", "Ask the recipient for the present address."),  # RFC 7293
    "7.20": Explanation("The message has no DKIM signature that holds.", _RECORD),  # RFC 7372 §3.1
    "7.21": Explanation("The message has no DKIM signature that the other mail system accepts.", _RECORD),  # RFC 7372 §3.1
    "7.22": Explanation("The DKIM signature is not of the sender's own domain.", _RECORD),  # RFC 7372 §3.1
    "7.23": Explanation("This host may not send mail for the sender's domain (SPF).", _RECORD),  # RFC 7372 §3.2
    "7.24": Explanation("The SPF record of the sender's domain cannot be evaluated.", _RECORD),  # RFC 7372 §3.2
    "7.25": Explanation("The address of this host has no matching name in DNS (PTR).", _OPERATOR),  # RFC 7372 §3.3
    "7.26": Explanation("More than one check of the sender's domain failed (SPF, DKIM, DMARC).", _RECORD),  # RFC 7372 §3.4
    "7.27": Explanation(
        "The sender's domain says that it receives no mail.", "Use a sender address that can be answered."
    ),  # RFC 7505 §4.2
    "7.28": Explanation("The other mail system saw more mail from here than it takes.", _LATER),
    "7.29": Explanation("A forwarder's chain of signatures (ARC) does not hold.", _OPERATOR),  # RFC 8617
    "7.30": Explanation(
        "The message demands encryption on the whole way, and the next mail system cannot promise it.", _OPERATOR
    ),  # RFC 8689
}
"""By subject and detail of the enhanced code; RFC 3463 §3 has those up to 7.7, later ones name theirs."""

CLASSED: dict[str, Explanation] = {
    "4.4.7": Explanation("The trouble did not pass in the time that a message may take.", _LATER),
    "4.7.0": Explanation("The other mail system put the message off, by its rules.", _LATER),
    "4.7.1": Explanation("The other mail system put the message off, by its rules.", _LATER),
    "4.3.0": Explanation("The recipient's mail system had trouble of its own.", _LATER),
}
"""Enhanced codes that mean something else with class 4 than with class 5."""

SMTP: dict[int, Explanation] = {
    421: Explanation("The other mail system ended the session.", _LATER),
    450: Explanation(f"It was put off. {_UNKNOWN}", _LATER),
    451: Explanation(f"It was put off. {_UNKNOWN}", _LATER),
    452: Explanation(f"It was put off. {_UNKNOWN}", _LATER),
    454: Explanation("Encryption or sign-in was not available at that moment.", _LATER),
    500: ENHANCED["5.2"],
    501: ENHANCED["5.4"],
    502: ENHANCED["5.1"],
    503: ENHANCED["5.1"],
    504: ENHANCED["5.4"],
    521: Explanation("That host takes no mail at all.", _ADDRESS),  # RFC 7504 §3
    530: Explanation("The other mail system wants us to sign in first.", _OPERATOR),  # RFC 4954 §6
    535: ENHANCED["7.8"],
    550: Explanation(f"It was refused for good. {_UNKNOWN}", _ASK),
    551: Explanation(f"It was refused for good. {_UNKNOWN}", _ASK),
    552: Explanation(f"It was refused for good. {_UNKNOWN}", _ASK),
    553: Explanation(f"It was refused for good. {_UNKNOWN}", _ASK),
    554: Explanation(f"It was refused for good. {_UNKNOWN}", _ASK),
    555: ENHANCED["5.4"],
    556: ENHANCED["1.10"],  # RFC 7504 §4
}
"""By the code itself, where there is no enhanced one that tells more; RFC 5321 §4.2.3."""

CAUSED: dict[Cause, Explanation] = {
    Cause.PAUSED: Explanation("An operator of this mail system lets mail for that destination wait.", _LATER),
    Cause.SUSPENDED: Explanation("The other mail system asked for a rest, so that its mail waits.", _LATER),
    Cause.BREAKER: Explanation(
        "No mail could be handed to the other mail system, several times in a row: it is left alone for a while.", _LATER
    ),
    Cause.CONGESTED: Explanation("Much mail waits for the same destination.", _LATER),
    Cause.FOLDING: Explanation("It waits to be folded into one message with others that are like it.", _LATER),
    Cause.SUPPRESSED: Explanation("This mail system does not mail that address.", _OPERATOR),
    Cause.FOLDED: Explanation("Another message was sent that stands for it, and for others like it.", _OPERATOR),
    Cause.FUSED: Explanation("Its sender hands in more mail than this mail system takes from him in such a time.", _LATER),
    Cause.SOURCE_EXHAUSTED: Explanation("No address of this mail system may send more there for now.", _LATER),
    Cause.OFFLINE: Explanation("This mail system had no network.", _LATER),
    Cause.TOO_LATE: Explanation("The message could not be delivered in the time that its sender gave it.", _LATER),
    Cause.UNSIGNED: Explanation("This mail system could not sign the message, and does not send it without.", _OPERATOR),
    Cause.CREDENTIAL: Explanation("This mail system could not get the password, token or certificate that it needs there.", _OPERATOR),
    Cause.SETTING: Explanation("A setting of this mail system, or a file that it names, cannot be used.", _OPERATOR),
    Cause.UNWRITABLE: Explanation("The mailbox is on this mail system, and cannot be written.", _OPERATOR),
    Cause.SHORT: Explanation("This mail system had no more memory, descriptors or room on its disk.", _LATER),
    Cause.LOOP: Explanation("The message went round in circles, or would.", _OPERATOR),
    Cause.CANCELLED: Explanation("An operator of this mail system has withdrawn it.", _OPERATOR),
    Cause.MISWRITTEN: ENHANCED["1.3"],
    Cause.ALIAS: Explanation("An alias of this mail system leads nowhere, or one of those that it names does.", _OPERATOR),
    Cause.DISCARDED: Explanation("This mail system is told to discard mail for that name.", _OPERATOR),
    Cause.TRAPPED: Explanation("This mail system is in a sandbox, from which no mail gets to that address.", _OPERATOR),
    Cause.REDIRECTED: Explanation("This mail system is in a sandbox, and somebody else got the mail.", _OPERATOR),
    Cause.DNS: Explanation("The name service (DNS) gave no answer for the recipient's domain.", _LATER),
    Cause.NO_DOMAIN: ENHANCED["1.2"],
    Cause.NULL_MX: ENHANCED["1.10"],
    Cause.NO_ADDRESS: Explanation("No host that takes mail for the domain has an address in the DNS.", _ADDRESS),
    Cause.PRIVATE: Explanation("The DNS leads to hosts that nobody outside their own network can reach.", _OPERATOR),
    Cause.BUG: Explanation("There was an error in the program that delivers mail.", _OPERATOR),
    Cause.STUCK: Explanation("The attempt made no progress and was given up.", _LATER),
    Cause.UNREACHABLE: Explanation("There was no connection to the other mail system.", _LATER),
    Cause.TIMEOUT: Explanation("The other mail system did not answer in time.", _LATER),
    Cause.CONNECTION_REFUSED: Explanation("The other machine is there, and no mail system answered on it.", _LATER),
    Cause.LOST: Explanation("The connection to the other mail system broke.", _LATER),
    Cause.PROTOCOL: Explanation("What answered there does not speak the language of mail systems (SMTP) as it should.", _OPERATOR),
    Cause.TLS: Explanation("No encrypted connection as it has to be could be made.", _OPERATOR),
    Cause.LOGIN: Explanation("The relay offers no way to sign in that this mail system may use.", _OPERATOR),
    Cause.LOGIN_REFUSED: ENHANCED["7.8"],
    Cause.LOGIN_WANTED: Explanation("The other mail system wants us to sign in first.", _OPERATOR),
    Cause.TLS_WANTED: ENHANCED["7.10"],
    Cause.ACCOUNT_DISABLED: Explanation("The account of this mail system there is disabled, or may not send.", _OPERATOR),
    Cause.NAME_REFUSED: Explanation("The other mail system does not take the name by which this one introduces itself.", _OPERATOR),
    Cause.ADDRESS_REFUSED: Explanation("The other mail system takes no mail from the network address of this one.", _OPERATOR),
    Cause.BLOCKLISTED: Explanation("The network address of this mail system is on a blocklist, or has a bad reputation there.", _OPERATOR),
    Cause.RELAYING_DENIED: Explanation("The other mail system does not pass on mail from here to others.", _OPERATOR),
    Cause.SENDER_REFUSED: Explanation("The other mail system does not take mail from this sender's address.", _OPERATOR),
    Cause.SENDER_UNKNOWN: Explanation(
        "The other mail system finds no domain or no mailbox for the sender's address.", "Correct the sender's address."
    ),
    Cause.UNAUTHENTICATED: Explanation("The sender's domain does not vouch for the message (SPF, DKIM, DMARC).", _RECORD),
    Cause.QUOTA_USED_UP: Explanation("What the account of this mail system may send there is used up for now.", _OPERATOR),
    Cause.TOO_FAST: Explanation("More mail came from here than the other mail system takes in such a time.", _LATER),
    Cause.MALFORMED: Explanation("The message is not written as it has to be.", "Mend what the words above name, and send it again."),
    Cause.UNWANTED: Explanation("The other mail system takes the message for spam, or for harmful.", _CONTENT),
    Cause.TOO_LARGE: Explanation("The message is larger than is taken there.", _SMALLER),
    Cause.NO_MAILBOX: ENHANCED["1.1"],
    Cause.MAILBOX_FULL: ENHANCED["2.2"],
    Cause.MAILBOX_DISABLED: ENHANCED["2.1"],
    Cause.RESTRICTED: Explanation("The recipient takes mail from some senders only.", _ASK),
    Cause.GREYLISTED: Explanation("The other mail system does not know this sender yet, and wants to be asked again.", _LATER),
}
"""By the cause; `UNFIT` is explained by its code, which says what does not fit."""

TEMPORARY = Explanation(f"It was put off. {_UNKNOWN}", _LATER)
PERMANENT = Explanation(f"It was refused for good. {_UNKNOWN}", _ASK)


def explain(code: int, enhanced: str, cause: Cause | None = None) -> Explanation:
    """The words for a reply with SMTP code `code` (0 if there was none) and RFC 3463 code `enhanced` (or ``""``)."""
    if cause in CAUSED:
        return CAUSED[cause]
    kind, _, detail = enhanced.partition(".")
    if code == 454 and enhanced in ("", "4.7.0"):  # RFC 3207 §4, RFC 4954 §6: about no other rule
        return SMTP[454]
    for found in (CLASSED.get(enhanced), None if _says_nothing(detail) else ENHANCED.get(detail), SMTP.get(code), ENHANCED.get(detail)):
        if found is not None:
            return found
    return TEMPORARY if (kind or str(code)[:1]) == "4" else PERMANENT


def _says_nothing(detail: str) -> bool:
    """``5.0.0`` and ``5.5.0`` stand for "something"; the SMTP code beside them tells more."""
    return detail in ("0.0", "5.0")
