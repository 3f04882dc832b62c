"""What people and programs ask of the system and do with it, as plain functions: what the command line, and every other door, calls.

A door reads what it was given, calls one function of this room, and shows the result. Results are typed, and each has one
`as_json`, which is the form that every door gives away; how a result looks to a person is the door's own affair. A function takes
the configuration or the `MailView` (`mailer.status.api`) that it needs, never an argument vector, and prints nothing. What cannot be
done raises `Problem`; an argument that makes no sense raises `ValueError`, so that each door says in its own words where it was read.

| `explain`, `blockers` | the story of a message; what it waits for and what would help |
| `route` | how mail for an address would travel |
| `selection` | which messages somebody means: by names, by what they are like, in heaps |
| `queue` | hold, release, retry, cancel and replay messages; pause a destination |
| `overview`, `waits`, `health`, `standing` | the summary; why mail waits; whether all is well; all of that on a page |
| `received` | what came by the doors, taken and refused |
| `filtering`, `learning` | what would become of a message that somebody brings; how each filter does; what they are told of one |
| `status` | failures counted; what waits by destination, domain or reason |
| `dkim`, `rotation` | keys, their records, signatures of a message; a new key in the place of the old one, in two steps |
| `suppression` | who is not to be mailed: put on the list, taken off it, asked about, taken over from others |
| `api_keys` | the keys of programs that use the HTTP API |
| `mailboxes`, `mailbox_backups` | mailboxes as an operator sees them, what goes in and out; their backups |
| `dovecot` | the configuration of a Dovecot beside us |
| `mailbox_keys` | the keys that encrypt mailboxes: which there are, a copy of them, others in their place |
| `mailbox_move` | a mailbox goes to another place |
| `mailbox_rules` | what owners say is done with their mail |
| `users`, `user_leaving`, `user_sessions` | the users whose mail lives here; who is none any more; who is logged in, or tried to be |
| `client_settings` | what a user types into a phone to read and send mail |
| `subscribers` | who hears of each event, and how far behind |
| `events` | what the journal has of mail, chosen and in order |
| `reports`, `bounce_keys` | reports that came back: taken from whoever brings one, listed, shown; the keys of their tokens |
| `aggregates` | what others report in sums: who sends in our name, and whether our hosts are reached by TLS |
| `hooks` | endpoints of webhooks: how each does, and what is wished of it |
| `srs` | the senders with which mail is passed on, and the secrets that sign them |
| `oauth` | a refresh token for a relay, by a device code or a redirect |
| `probe`, `trust` | how far a session with a server comes; its certificate written down |
| `residents` | who lives here |
| `inbound` | domains of ours as those see them who send mail to them |
| `doctor` | all that mail needs on this machine, looked at side by side |
| `daemon` | the daemon of a spool reads its configuration again, or ends, and what came of it |
| `batch`, `bundle` | many messages in one go |
| `config` | a new configuration file; whether mail could be sent with one; the programs that others start to send mail |
| `private` | a secret in a file of its own |
| `guess`, `plan`, `setup` | who takes mail from an address; the answers of a setup; their files, tried and put in place |
| `receiving` | the configuration of a machine that receives, and the records to publish |
| `machine`, `own` | a daemon's user, service and sendmail on this machine; our own program, started |
| `user_view`, `program_view` | the mail of one user, and of one program with a key, out of spool and status |
| `schemas` | what each command prints for programs, as JSON Schema |
| `pages` | the manual pages that lie beside the program |
| `fcc` | a copy of what was sent, in a Maildir |
"""
