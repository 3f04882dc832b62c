"""Accounts: those who are known here besides the users of the machine, by an address with a password, or by a key of the HTTP API.

A key is shown once, when it is made; what is kept is the SHA-256 of its secret. That is enough, for a secret of 160 random bits is not
guessed from its digest, as a password that a person thought of would be. Whoever has the file can use no key. A password of a user is
kept by a record that is dear to guess from.

`api`          a key, what it may do, and the interface of where keys are kept
`files`        keys in a file beside the configuration
`memory`       keys in memory
`users`        the users whose mail lives here
`residence`    what becomes of mail for an address, decided from what is known
`authorship`   as whom a user may write
`residents`    who lives here, for as long as a daemon runs
`password`     records of passwords
`crypt`        those of crypt(3)
`logins`       whether somebody is the user whom he says he is
`sessions`     who is logged in now, and the record of logins
`component`    the residents as a part of the daemon
`srs_secrets`  what signs the senders of mail that is passed on
"""

from __future__ import annotations
