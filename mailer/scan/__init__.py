"""What filters of content speak, as codecs: bytes in, verdicts out, and no socket. Each is a file of its own.

They read what a program says that reads strangers' mail, so they believe nothing: lengths are bounded, words that they do not know are no
verdict, and only what says so plainly is clean. What is none of what may be said raises `opinion.ScanError`, and nothing else is raised.

`opinion`         what a filter thinks of a message, whichever it is
`clamd`           ClamAV's daemon: a stream in pieces
`spamd`           SpamAssassin's daemon
`rspamd`          Rspamd over HTTP
`program`         any program: its environment, its output and how it ends
`milter`          the protocol of milters as the mail server's side speaks it: states and frames
`milter_frame`    its frames, and what was negotiated
`milter_changes`  what a milter wants changed in a message, on a copy
"""

from __future__ import annotations
