"""Sieve: scripts by which the owner of a mailbox says what becomes of his mail. RFC 5228

A script is parsed and checked once (`parse`), and then asked of each message (`run`): facts go in, actions come out, and nothing here
touches a mailbox or sends anything. `forms.EXTENSIONS` are the extensions that there are. What is not here, on purpose: regular
expressions, for nothing of a stranger's is ever looked for by going back; editing of headers, for what was signed stays as it is; and
``include``, ``reject`` and ``ereject``, for our door has said yes before a script is asked.

Whoever writes scripts is a stranger, and so is whoever writes the mail. So a script has at most 64 KB and 4,000 commands and tests, nested
32 deep; takes 32 actions, of which four redirect; compares 20 million characters; and no pattern and no text makes it slower than its
length. A script beyond a limit is an error with the line, and then nothing of it is done.

Where Pigeonhole, the other implementation in wide use, does otherwise, the tests say so: ``?`` is a character here and an octet there; a
part of a date, a zone, a field or a relation that there is not is an error here, and a warning there.

`lexer`      the words of a script
`grammar`    commands, tests, blocks
`forms`      what each command and test takes, as tables
`check`      whether a script is right
`meanings`   what is checked of single commands
`characters` characters written by their numbers
`variables`  strings that are made when it runs
`run`        the interpreter
`state`      one run of a script
`tests`      the tests
`matching`   match types and comparators
`glob`       the patterns of :matches
`fields`     the header of a message
`moments`    dates
`flags`      lists of flags
`actions`    what was decided
`errors`     what is wrong
"""

from __future__ import annotations

from .actions import Action, Discard, FileInto, Forward, Keep, Vacation
from .check import SieveScript, parse
from .errors import SieveError
from .forms import EXTENSIONS
from .matching import Effort
from .run import run, run_in_turn
from .state import MailFacts, SievePart

__all__ = [
    "EXTENSIONS",
    "Action",
    "Discard",
    "Effort",
    "FileInto",
    "Forward",
    "Keep",
    "MailFacts",
    "SieveError",
    "SievePart",
    "SieveScript",
    "Vacation",
    "parse",
    "run",
    "run_in_turn",
]
