"""Filing: what becomes of a letter that has come for a mailbox of ours, by what its owner has said.

An owner says it by an answer for when he is away, by forwards, by simple rules, and by a script of his own in Sieve (`mailer.sieve`). The
first three are data, of which a script is made; it is asked first, and his own after it, if it has not decided. What both say comes to a
plan (`decide`), which is carried out (`carry`): what is sent goes by the doors of `mailer.submit`, and the letter goes into folders.

No letter is lost by a rule. Mail that nothing is said about is kept; what is discarded goes into the trash; a script that is wrong or fails
leaves the inbox, and its owner hears of it once a day. No letter is passed on or answered twice, whatever happens in between.

`desk`      a `mailer.transport.filing.Filing` that does all this
`decide`    what is to be done with a letter
`carry`     doing it
`mail`      what scripts may know of it
`answer`    whether it may be answered, and the answer
`rules`     rules and answers as data
`generated` the script that these come to
`confirming` an address that mail is to be forwarded to is asked first
"""

from __future__ import annotations

from .desk import RulesFiling

__all__ = ["RulesFiling"]
