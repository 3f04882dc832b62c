"""The record of every message, recipient and attempt, in SQLite. A view: the spool is the truth.

The daemon writes (`writer`), in batches and in one thread; nobody else ever does. Anybody with permission
reads (`reader`), while the daemon runs and while it does not. What people are shown is always the union of
spool and database (`view`): a message that no daemon has seen yet shows as ``queued``, and where both know a
message that is still pending, the spool is right.

``status.sqlite3`` may be deleted while the daemon is down. What is in the spool comes back (`catchup`); lost is
the history of what has left it.
"""
