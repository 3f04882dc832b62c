"""The doctor: everything that mail needs on this machine, looked at side by side, each thing with its evidence and its remedy.

A check is a plain function that takes what it needs and returns findings (`mailer.check.finding.Finding`); none changes anything. All run
at once, each with a limit of time, so that a disk or a server which hangs is a finding too, as is a check that breaks. Root looks with the
eyes of the user whom the spool belongs to, for the daemon runs as he. What may be put right without a decision, `repair` does before.

| `visit` | who is examined, and all checks together |
| `round` | checks run side by side |
| `place` | the spool: owner, modes, what lies about in it, room on its disk |
| `records` | what is kept beside mail: the status, the suppression list, request ids, pauses |
| `users` | whether users can be looked up |
| `mailboxes` | whether each of our own mailboxes has what it should |
| `journal` | the journal of events, and who is behind |
| `serving` | the daemon: lock, doorbell, configuration, limits; what waits, and the alarms that are open |
| `feedback` | what comes back: mailboxes of reports, the key of return tokens, reports that wait |
| `webhooks` | whether endpoints take events |
| `setting` | the configuration, and the files that it names |
| `doors` | doors for HTTP: keys, whether each answers, certificates |
| `greeted` | doors that greet: whether one answers, and offers TLS |
| `smtp_doors` | doors for SMTP and LMTP: whether each answers, and offers TLS |
| `access_doors` | doors where users read their mail: whether each answers, and offers TLS |
| `outward` | the network: name servers, port 25, names of this host, clock, DKIM keys and their records |
| `broker` | whether the message broker takes our login, and its queues are taken from |
| `filters` | whether each filter of incoming mail answers |
| `relays` | whether each relay takes our login, and when certificates end |
| `installed` | programs of this machine: sendmail, the service, versions |
| `repair` | what is safe to do |
"""
