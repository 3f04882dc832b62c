"""The tables of the status database, and how one version of them becomes the next.

``PRAGMA user_version`` says which version a file has. `STEPS` brings it from each version to the next, one
transaction a step, so that a crash in between leaves a whole version. A step is never changed after it was
released; a new one is added.

Columns follow the names that people and other programs use in their own queries. Times are whole
microseconds since the epoch in UTC: exact, so that they can be part of a key, and the same whether they come
from memory or were read back from the spool, which keeps microseconds too. In SQL,
``datetime(queued_time / 1000000, 'unixepoch')`` shows one.

How long rows live: see `mailer.status.sqlite.writer.SqliteRecorder.forget`. A message that is still pending keeps all of its rows
but dialogs: of these, the last few of each recipient are kept, and no more in all than `DIALOGS`. `destinations` has what is in
the daemon's memory: a row goes when the destination does, and all go when a daemon starts. `alarms` has those that are open, and what
was open when a daemon ended, with which the next one goes on. `aggregate_reports`, `dmarc_rows` and `tlsrpt_rows` have what other hosts
report in sums, as long as messages that are done with; how many there may be, `mailer.status.sqlite.sums` says. `arrivals` and
`refusals` have what came by the doors, for a time of their own, and in a number of their own (`mailer.status.sqlite.received`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

DIALOGS = 50_000
"""How many dialogs there may be in all, of about two kilobytes each; those of the oldest messages go first."""

UNSENT = "SELECT id, status FROM emails WHERE status IN ('queued', 'sending', 'deferred', 'held', 'failed', 'expired', 'cancelled')"
"""The messages that are not recorded as sent: few, of the millions that were."""

FIRST = """
BEGIN IMMEDIATE;

CREATE TABLE emails (
    id                TEXT PRIMARY KEY NOT NULL,  -- the name of the message's file in the spool
    message_id        TEXT,                       -- as in its header, with angle brackets
    request_id        TEXT,
    from_address      TEXT NOT NULL,              -- '' is the null reverse-path
    subject           TEXT,
    size              INTEGER NOT NULL,           -- bytes
    priority          TEXT NOT NULL,              -- high, normal, low
    status            TEXT NOT NULL,
    queued_time       INTEGER NOT NULL,
    last_attempt_time INTEGER,
    sent_time         INTEGER,                    -- when the last recipient had it
    next_attempt_time INTEGER,
    retry_count       INTEGER NOT NULL,           -- how often it was tried
    error_message     TEXT                        -- the last reply that was no success
) WITHOUT ROWID;

CREATE TABLE email_recipients (
    email_id              TEXT NOT NULL,
    position              INTEGER NOT NULL,       -- in the envelope, from 0
    recipient_address     TEXT NOT NULL,
    recipient_type        TEXT NOT NULL,          -- to, cc, bcc
    domain                TEXT NOT NULL,          -- lower case
    status                TEXT NOT NULL,
    smtp_response_code    INTEGER,
    enhanced_code         TEXT,
    smtp_response_message TEXT,
    mx_host               TEXT,
    last_update_time      INTEGER NOT NULL,
    PRIMARY KEY (email_id, position)
) WITHOUT ROWID;

CREATE TABLE attempts (
    email_id        TEXT NOT NULL,
    position        INTEGER NOT NULL,
    at              INTEGER NOT NULL,             -- when the outcome was known
    recipient       TEXT NOT NULL,
    verdict         TEXT NOT NULL,                -- delivered, defer, fail, expire, cancel
    scope           TEXT NOT NULL,                -- how far the cause reaches
    host            TEXT,                         -- NULL: the attempt never left this machine
    ip              TEXT,
    port            INTEGER,
    tls_wanted      TEXT,
    tls_achieved    TEXT,
    phase           TEXT,
    code            INTEGER,
    enhanced_code   TEXT,
    text            TEXT,
    seconds         REAL,
    remote_queue_id TEXT,
    PRIMARY KEY (email_id, position, at)          -- so that hearing of it again adds nothing
) WITHOUT ROWID;

CREATE INDEX emails_message_id ON emails (message_id);
CREATE INDEX emails_request_id ON emails (request_id) WHERE request_id IS NOT NULL;
CREATE INDEX emails_from ON emails (from_address COLLATE NOCASE);
CREATE INDEX emails_status ON emails (status);
CREATE INDEX recipients_address ON email_recipients (domain, recipient_address COLLATE NOCASE);
CREATE INDEX recipients_undelivered ON email_recipients (last_update_time)
    WHERE status IN ('failed', 'expired', 'bounced', 'complained');

PRAGMA user_version = 1;

COMMIT;
"""

SECOND = """
BEGIN IMMEDIATE;

CREATE TABLE submitters (                         -- of messages that came from other users than the spool's owner
    email_id TEXT PRIMARY KEY NOT NULL,
    uid      INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX submitters_uid ON submitters (uid, email_id);

PRAGMA user_version = 2;

COMMIT;
"""

THIRD = """
BEGIN IMMEDIATE;

ALTER TABLE attempts ADD COLUMN steps TEXT;           -- milliseconds by phase, a JSON object: json_extract(steps, '$.connect')
ALTER TABLE attempts ADD COLUMN reused INTEGER;       -- 1: connect, greeting, ehlo, starttls, auth were spent on an earlier message

CREATE TABLE dialogs (                                -- what was said in attempts that did not deliver
    email_id TEXT NOT NULL,
    at       INTEGER NOT NULL,                        -- that of the attempts it belongs to
    position INTEGER NOT NULL,                        -- the first recipient that it is about
    lines    TEXT NOT NULL,                           -- JSON: [[milliseconds or null, "us" "host" or "note", text], ...]
    PRIMARY KEY (email_id, at)
) WITHOUT ROWID;

CREATE TABLE destinations (                           -- what the daemon knows of those it has to do with, this moment
    key            TEXT PRIMARY KEY NOT NULL,         -- relay:NAME, or mx:HOST,HOST
    kind           TEXT NOT NULL,                     -- relay, mx
    waiting        INTEGER NOT NULL,                  -- messages, or parts of them, that are due and wait for it
    sessions       INTEGER NOT NULL,                  -- at work
    window         REAL NOT NULL,                     -- how many there may be
    window_cap     INTEGER NOT NULL,                  -- how many there may ever be
    breaker        TEXT NOT NULL,                     -- closed, open, half-open
    failures       INTEGER NOT NULL,                  -- in a row
    open_until     INTEGER,
    breaker_reason TEXT,
    paused_until   INTEGER,                           -- the end of the year 9999: until somebody resumes it
    pause_reason   TEXT,
    rate_until     INTEGER,                           -- when a rate lets the next one through
    last_reply     TEXT,
    last_at        INTEGER,
    wait           TEXT,                              -- why what waits does: window, connections, rate, breaker, pause
    wait_detail    TEXT,
    wait_until     INTEGER,
    updated_at     INTEGER NOT NULL
) WITHOUT ROWID;

PRAGMA user_version = 3;

COMMIT;
"""

FOURTH = """
BEGIN IMMEDIATE;

ALTER TABLE attempts ADD COLUMN cause TEXT;           -- why, where more is known than the reply: mailer-spool(5) has the words
ALTER TABLE attempts ADD COLUMN besides TEXT;         -- what went wrong at other addresses
ALTER TABLE email_recipients ADD COLUMN cause TEXT;
ALTER TABLE email_recipients ADD COLUMN besides TEXT;

PRAGMA user_version = 4;

COMMIT;
"""

FIFTH = """
BEGIN IMMEDIATE;

CREATE TABLE alarms (                                 -- what is open this moment
    kind       TEXT NOT NULL,                         -- mailer-status(1) has the words
    key        TEXT NOT NULL,                         -- which of the kind; '' where there is only one
    since      INTEGER NOT NULL,
    last       INTEGER NOT NULL,                      -- when it was met last
    times      INTEGER NOT NULL,                      -- how often
    severity   TEXT NOT NULL,                         -- notice, warning, critical
    text       TEXT NOT NULL,
    remedy     TEXT,
    told       INTEGER NOT NULL,                      -- 1: a person was told, by mail or by a command
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (kind, key)
) WITHOUT ROWID;

PRAGMA user_version = 5;

COMMIT;
"""

SIXTH = """
BEGIN IMMEDIATE;

CREATE TABLE aggregate_reports (                      -- aggregate reports whose sums are below; so none counts twice
    kind          TEXT NOT NULL,                      -- dmarc, tlsrpt
    reporter      TEXT NOT NULL,                      -- what it says of itself; nothing proves it
    report_id     TEXT NOT NULL,
    domain        TEXT NOT NULL,                      -- '' for tlsrpt, which has one for each policy
    begin_time    INTEGER NOT NULL,
    end_time      INTEGER NOT NULL,
    received_time INTEGER NOT NULL,
    ours          INTEGER NOT NULL,                   -- 1: about a domain that was ours when it came
    policy        TEXT,                               -- dmarc: none, quarantine, reject
    bad           INTEGER NOT NULL,                   -- rows of the report that said nothing usable
    trouble       TEXT,                               -- what the reporter found wrong with the record in the DNS
    contact       TEXT,
    PRIMARY KEY (kind, reporter, report_id, domain, begin_time)
) WITHOUT ROWID;

CREATE TABLE dmarc_rows (                             -- messages that others have seen with a domain of ours in their From, summed
    day         INTEGER NOT NULL,                     -- since the epoch, in UTC: date(day * 86400, 'unixepoch')
    domain      TEXT NOT NULL,                        -- that publishes the policy
    reporter    TEXT NOT NULL,
    author      TEXT NOT NULL,                        -- the domain of From
    source      TEXT NOT NULL,                        -- the IP address that they came from; '' for several
    disposition TEXT NOT NULL,                        -- none, quarantine, reject, pass
    dkim        INTEGER NOT NULL,                     -- 1: passed, and agrees with From
    spf         INTEGER NOT NULL,
    signer      TEXT NOT NULL,                        -- the domain of the best signature, and its result
    signed      TEXT NOT NULL,
    path        TEXT NOT NULL,                        -- the domain of the reverse-path, and what SPF says of it
    allowed     TEXT NOT NULL,
    override    TEXT NOT NULL,                        -- why the policy was not followed: mailing_list, forwarded, ...
    ours        INTEGER NOT NULL,
    messages    INTEGER NOT NULL,
    PRIMARY KEY (day, domain, reporter, author, source, disposition, dkim, spf, signer, signed, path, allowed, override)
) WITHOUT ROWID;

CREATE TABLE tlsrpt_rows (                            -- sessions of others with hosts of ours, summed
    day      INTEGER NOT NULL,
    domain   TEXT NOT NULL,
    reporter TEXT NOT NULL,
    policy   TEXT NOT NULL,                           -- tlsa, sts, no-policy-found
    result   TEXT NOT NULL,                           -- success, or what failed
    host     TEXT NOT NULL,                           -- of ours; '' where all of them are meant
    reason   TEXT NOT NULL,
    ours     INTEGER NOT NULL,
    sessions INTEGER NOT NULL,
    PRIMARY KEY (day, domain, reporter, policy, result, host, reason)
) WITHOUT ROWID;

CREATE TABLE reports (                                -- what reports of other hosts said, a row for each recipient of one
    id         TEXT NOT NULL,                         -- of the report: the name of its file in reports/
    nth        INTEGER NOT NULL,                      -- of its recipients, from 0
    at         INTEGER NOT NULL,                      -- when it came
    source     TEXT NOT NULL,
    kind       TEXT NOT NULL,                         -- bounce, delay, delivered, complaint, auto-reply, ...
    trust      TEXT NOT NULL,                         -- token, ours, none
    email_id   TEXT,                                  -- NULL: nothing of ours was found that it is about
    position   INTEGER,
    recipient  TEXT,
    action     TEXT,
    status     TEXT,                                  -- an enhanced code
    diagnostic TEXT,
    class      TEXT,
    effect     TEXT,                                  -- what became of it, for a person
    PRIMARY KEY (id, nth)
) WITHOUT ROWID;

ALTER TABLE emails ADD COLUMN stream TEXT;            -- the kind of mail that it belongs to

CREATE INDEX reports_email ON reports (email_id) WHERE email_id IS NOT NULL;
CREATE INDEX reports_at ON reports (at);

PRAGMA user_version = 6;

COMMIT;
"""

SEVENTH = """
BEGIN IMMEDIATE;

CREATE TABLE arrivals (                               -- messages that were taken at a door, as they came
    email_id     TEXT PRIMARY KEY NOT NULL,
    time         INTEGER NOT NULL,
    door         TEXT NOT NULL,                       -- mx, submission, lmtp
    client_ip    TEXT NOT NULL,                       -- '' over a unix socket
    client_name  TEXT NOT NULL,                       -- by the DNS, forth and back
    hello        TEXT NOT NULL,                       -- what it calls itself
    protocol     TEXT NOT NULL,                       -- ESMTPS, ... (RFC 3848)
    tls          TEXT NOT NULL,
    user         TEXT NOT NULL,                       -- who had logged in
    from_address TEXT NOT NULL,                       -- '' is the null reverse-path
    recipients   TEXT NOT NULL,                       -- an address a line
    size         INTEGER NOT NULL,                    -- bytes
    verdict      TEXT NOT NULL,                       -- accept, mark, hold
    why          TEXT NOT NULL,                       -- what speaks against it
    proxy        TEXT NOT NULL                        -- which named the client; '' without
) WITHOUT ROWID;

CREATE TABLE refusals (                               -- what was refused at a door; what says the same is one row
    hour              INTEGER NOT NULL,               -- of the first, since the epoch
    network           TEXT NOT NULL,                  -- of the client: a /24 of IPv4, a /48 of IPv6
    reason            TEXT NOT NULL,                  -- a word: unknown, relay, spf, login, ...
    from_address      TEXT NOT NULL,
    recipient_address TEXT NOT NULL,
    user              TEXT NOT NULL,                  -- who had logged in, or tried to
    crowd             INTEGER NOT NULL,               -- 1: of so many that nobody is named
    first_time        INTEGER NOT NULL,
    last_time         INTEGER NOT NULL,
    times             INTEGER NOT NULL,
    door              TEXT NOT NULL,                  -- this and the rest: of the last
    client_ip         TEXT NOT NULL,
    client_name       TEXT NOT NULL,
    hello             TEXT NOT NULL,
    protocol          TEXT NOT NULL,
    tls               TEXT NOT NULL,
    phase             TEXT NOT NULL,                  -- greeting, ehlo, starttls, auth, mail, rcpt, data, body
    reply             TEXT NOT NULL,
    why               TEXT NOT NULL,                  -- more than the reply says
    proxy             TEXT NOT NULL,
    PRIMARY KEY (hour, network, reason, crowd, from_address, recipient_address, user)
) WITHOUT ROWID;

CREATE INDEX arrivals_time ON arrivals (time);
CREATE INDEX refusals_time ON refusals (last_time);

PRAGMA user_version = 7;

COMMIT;
"""

STEPS = (FIRST, SECOND, THIRD, FOURTH, FIFTH, SIXTH, SEVENTH)
"""Step n makes version n + 1 out of version n, as one transaction that sets ``user_version``."""

VERSION = len(STEPS)

AS_FOURTH = """
CREATE TEMP VIEW attempts AS SELECT *, NULL AS cause, NULL AS besides FROM main.attempts;
CREATE TEMP VIEW email_recipients AS SELECT *, NULL AS cause, NULL AS besides FROM main.email_recipients;
"""
"""What makes a database of version 3 look like one of version 4 to a connection that may not write it: views with the tables' names."""

AS_FIFTH = """
CREATE TEMP VIEW alarms AS SELECT '' AS kind, '' AS key, 0 AS since, 0 AS last, 0 AS times, '' AS severity, '' AS text, NULL AS remedy,
    0 AS told, 0 AS updated_at WHERE 0;
"""
"""The same for one of version 4, which knows no alarms."""

AS_SIXTH = """
CREATE TEMP VIEW emails AS SELECT *, NULL AS stream FROM main.emails;
CREATE TEMP VIEW aggregate_reports AS SELECT '' AS kind, '' AS reporter, '' AS report_id, '' AS domain, 0 AS begin_time, 0 AS end_time,
    0 AS received_time, 0 AS ours, NULL AS policy, 0 AS bad, NULL AS trouble, NULL AS contact WHERE 0;
CREATE TEMP VIEW dmarc_rows AS SELECT 0 AS day, '' AS domain, '' AS reporter, '' AS author, '' AS source, '' AS disposition, 0 AS dkim,
    0 AS spf, '' AS signer, '' AS signed, '' AS path, '' AS allowed, '' AS override, 0 AS ours, 0 AS messages WHERE 0;
CREATE TEMP VIEW tlsrpt_rows AS SELECT 0 AS day, '' AS domain, '' AS reporter, '' AS policy, '' AS result, '' AS host, '' AS reason,
    0 AS ours, 0 AS sessions WHERE 0;
CREATE TEMP VIEW reports AS SELECT '' AS id, 0 AS nth, 0 AS at, '' AS source, '' AS kind, '' AS trust, NULL AS email_id, NULL AS position,
    NULL AS recipient, NULL AS action, NULL AS status, NULL AS diagnostic, NULL AS class, NULL AS effect WHERE 0;
"""
"""The same for one of version 5, which knows no reports of others."""

AS_SEVENTH = """
CREATE TEMP VIEW arrivals AS SELECT '' AS email_id, 0 AS time, '' AS door, '' AS client_ip, '' AS client_name, '' AS hello,
    '' AS protocol, '' AS tls, '' AS user, '' AS from_address, '' AS recipients, 0 AS size, '' AS verdict, '' AS why,
    '' AS proxy WHERE 0;
CREATE TEMP VIEW refusals AS SELECT 0 AS hour, '' AS network, '' AS reason, '' AS from_address, '' AS recipient_address, '' AS user,
    0 AS crowd, 0 AS first_time, 0 AS last_time, 0 AS times, '' AS door, '' AS client_ip, '' AS client_name, '' AS hello, '' AS protocol,
    '' AS tls, '' AS phase, '' AS reply, '' AS why, '' AS proxy WHERE 0;
"""
"""The same for one of version 6, which knows nothing of doors."""

VIEWS = {
    3: AS_FOURTH + AS_FIFTH + AS_SIXTH + AS_SEVENTH,
    4: AS_FIFTH + AS_SIXTH + AS_SEVENTH,
    5: AS_SIXTH + AS_SEVENTH,
    6: AS_SEVENTH,
}
"""By the version that a database has."""


class Unusable(Exception):
    """The file at the database's place is no database of this program; `str()` says why."""


def version(db: sqlite3.Connection) -> int:
    """The version of an open database; 0 is an empty one. Raises `Unusable`, `sqlite3.Error`."""
    found = int(db.execute("PRAGMA user_version").fetchone()[0])
    if found > VERSION:
        raise Unusable(f"its version is {found}, and this program knows versions up to {VERSION}")
    return found


def migrate(db: sqlite3.Connection) -> None:
    """Bring the database to `VERSION`. Raises `Unusable`, `sqlite3.Error`; then it is the version it was."""
    for step in STEPS[version(db) :]:
        try:
            db.executescript(step)
        except BaseException:
            if db.in_transaction:
                db.rollback()
            raise


def look_current(db: sqlite3.Connection) -> bool:
    """Let a connection that only reads see an older database as one of `VERSION`; False if there is nothing in it yet.

    The daemon migrates the file; whoever reads it before the daemon has run must not have to wait for that.
    Raises `Unusable`, `sqlite3.Error`.
    """
    found = version(db)
    if found in VIEWS:
        db.executescript(VIEWS[found])
    return bool(found)
