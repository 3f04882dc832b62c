"""Logging in by SASL (RFC 4422), both sides of it, in whatever protocol: SMTP, IMAP, POP3.

What the standard says, in six lines. A client picks one of the mechanisms that a server offers; then the server asks and the client
answers, in turns, until the server knows who the client is, or one of them gives up. Some clients say their first answer with the
command itself. What goes to and fro are octets, which each protocol wraps in its own way, all in base 64 (§4). A mechanism in which the
password travels belongs inside TLS; one in which it does not proves on both sides that it is known.

`mechanism`  what each mechanism is on the client's side, and what binds one to the TLS around it
`client`     those that we have
`scram`      SCRAM among them, and its keys, which are kept in place of a password
`exchange`   the server's side: an exchange asks until there are credentials

Nothing here opens, sleeps, logs or asks for the time. Whether a password is the right one is for others to say.
"""
