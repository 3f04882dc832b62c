"""Measurements against other mail programs on the same machine, in the same run. None of them is a test.

    python tests/benchmarks/send.py      what one submission costs
    python tests/benchmarks/drain.py     how fast a queue empties

Each has ``--help`` and ends with lines ``FIGURE …``. Machines are shared and noisy, so what is compared is measured in
turns, medians are printed, and the ratio between two medians of one run is what may be quoted.

What is asked of IMAP, beside Dovecot 2.3 over a Maildir with the same mail, of the processor, and what was found on two busy cores:

    asked                                                at most          found       command
    SELECT of 10,000, cold                               20 ms            5 to 8 ms   imap.py
    ENVELOPE, SIZE, INTERNALDATE of 10,000               0.5 x            0.4 to 0.5  imap.py
    UID FLAGS of 10,000                                  2 x              1.5         imap.py
    BODY[] of 1,000, 22 MB                               2 x              1.8         imap.py
    BODY[] of 1,000, encrypted                           4 x              5.5         imap.py --encrypted
    header fields, BODYSTRUCTURE of 1,000                2 x              1.5 to 1.8  imap.py
    a connection with TLS that waits, 10,000 open        60 KB            39 to 52    imap_idle.py (uvloop, asyncio)
    news, 1,000 waiting in the same folder               50 ms            19, 95 max  imap_idle.py --loop uvloop
    news of another process, the same                    100 ms           48, 144 max imap_idle.py --loop uvloop
    NOOP beside 5,000 that wait, 99th percentile         100 ms           1           imap_idle.py --loop uvloop -n 5000
    ten clients, commands a second                       at least 1 x     0.9         imap_load.py
    APPEND, MULTIAPPEND of 20, a second                  at least 1 x     1.2, 1.0    imap_load.py
    LIST of 1,000 folders                                -                4 x         imap_load.py --folders 1000

Encrypted bodies: two fifths of what they cost is X25519 and HMAC, once a message, as the format has it; to open them as well as to prove
them by their digest is what makes them safe. Flags of 25,700 messages at once (STORE) keep others waiting as long as one collection of
garbage: 70 to 100 ms as Python sets it, 4 to 47 ms in the processes that serve, which quieten it. News for 5,000 who wait in one folder
take 69 ms, and 284 ms from another process: each of their sessions asks the mailbox for itself.
"""

import signal
import sys
from pathlib import Path

if Path(sys.argv[0]).resolve().parent == Path(__file__).parent:  # started as a program: told to end, it ends what it has started
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
