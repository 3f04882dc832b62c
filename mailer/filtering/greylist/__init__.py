"""Greylisting: who has a bad sign and was never here before is put off once. RFC 6647

A server that is told 451 comes again, and most programs that spread spam do not. It costs good mail minutes, so it is not done to all: what
is a bad sign says `mailer.filtering.panel`. Who came again in time is remembered, by his network or the domain that is proved for him, with
sender and recipient: a pool of servers is one.

`api`     who has to wait, and the interface of where that is remembered
`memory`  remembered in memory
`sqlite`  remembered in ``greylist.sqlite3`` beside the spool
"""

from __future__ import annotations
