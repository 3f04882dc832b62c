"""Sessions and logins of users: which are open now, and which there were or were tried, at whatever door and in whatever process.

A session is open from the login to its end. An operator, or the user himself, can end his; the process that has them hears of it within a
second. The record of logins says who came when, from where, at which door, with which password, and why somebody was not let in.

`api`        a session, a login, the end of sessions, and the interface of where they are kept
`register`   the sessions of one process, written down behind its back, and ended when somebody says so
`record`     the logins that one process tells of, written down together
`component`  both as a part of a process
`schema`     the tables, and the statements about them
`sqlite`     kept in ``sessions.sqlite3`` beside the spool
`memory`     kept in memory
"""

from __future__ import annotations
