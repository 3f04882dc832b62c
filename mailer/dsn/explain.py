"""What reply codes mean and what the sender can do: plain words as data.

Used by reports and by whoever explains an outcome to a person. A server's own words come first, always;
these stand below them. The most telling code wins: the enhanced code with its class, then its subject and
detail alone (RFC 3463 §3; the registry of RFC 5248 has later ones), then the SMTP code (RFC 5321 §4.2.3).
"""

from __future__ import annotations

from typing import NamedTuple


class Explanation(NamedTuple):
    """What a reply `means`, and what to `do` about it; both are sentences."""

    means: str
    do: str


_ADDRESS = "Check the address for a typing mistake, and whether it still exists."
_LATER = "Send it again later. If it is urgent, reach the recipient in another way."
_SMALLER = "Make it smaller, or put the large part where the recipient can fetch it."
_OPERATOR = "Tell the operator of this mail system, who has to change something."
_CONTENT = "Ask the recipient's mail administrator why, and quote the reply above."
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
    "7.1": Explanation("This sender may not write to this recipient.", _CONTENT),
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
    "4.7.1": Explanation(
        "The other mail system put the message off: it does not know this sender yet (greylisting), or had doubts.", _LATER
    ),
    "4.3.0": Explanation("The recipient's mail system had trouble of its own.", _LATER),
}
"""Enhanced codes that mean something else with class 4 than with class 5."""

SMTP: dict[int, Explanation] = {
    421: Explanation("The other mail system was closing down or overloaded.", _LATER),
    450: Explanation("The mailbox was not available at that moment.", _LATER),
    451: Explanation("The other mail system had an error of its own.", _LATER),
    452: Explanation("The other mail system was short of space.", _LATER),
    454: Explanation("Encryption or sign-in was not available at that moment.", _LATER),
    500: ENHANCED["5.2"],
    501: ENHANCED["5.4"],
    502: ENHANCED["5.1"],
    503: ENHANCED["5.1"],
    504: ENHANCED["5.4"],
    521: Explanation("That host takes no mail at all.", _ADDRESS),  # RFC 7504 §3
    530: Explanation("The other mail system wants us to sign in first.", _OPERATOR),  # RFC 4954 §6
    535: ENHANCED["7.8"],
    550: Explanation("The mailbox does not exist, or the other mail system does not take this message for it.", _ADDRESS),
    551: ENHANCED["1.6"],
    552: Explanation("The message is too large, or the recipient's mailbox is full.", _SMALLER),
    553: ENHANCED["1.3"],
    554: Explanation("The other mail system refused the message.", _CONTENT),
    555: ENHANCED["5.4"],
    556: ENHANCED["1.10"],  # RFC 7504 §4
}
"""By the code itself, where there is no enhanced one that tells more; RFC 5321 §4.2.3."""

TEMPORARY = Explanation("The trouble was of the kind that passes.", _LATER)
PERMANENT = Explanation("The other mail system refused the message for good.", _CONTENT)


def explain(code: int, enhanced: str) -> Explanation:
    """The words for a reply with SMTP code `code` (0 if there was none) and RFC 3463 code `enhanced` (or ``""``)."""
    kind, _, detail = enhanced.partition(".")
    for found in (CLASSED.get(enhanced), None if _says_nothing(detail) else ENHANCED.get(detail), SMTP.get(code), ENHANCED.get(detail)):
        if found is not None:
            return found
    return TEMPORARY if (kind or str(code)[:1]) == "4" else PERMANENT


def _says_nothing(detail: str) -> bool:
    """``5.0.0`` and ``5.5.0`` stand for "something"; the SMTP code beside them tells more."""
    return detail in ("0.0", "5.0")
