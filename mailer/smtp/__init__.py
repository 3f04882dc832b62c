"""SMTP as pure functions and state machines: bytes in, answers out, and nobody waits.

What the standard says, in ten lines. A session (RFC 5321 §3.1) begins with the server's greeting. The
client says who it is (EHLO) and learns in the reply which extensions are offered. It may ask for TLS
(STARTTLS, RFC 3207), after which all that was said before is forgotten, and it may authenticate (AUTH,
RFC 4954). A transaction (§3.3) is MAIL with the reverse-path, RCPT once for each recipient, DATA, and the
message, which ends with a line that holds a dot alone. The 250 after the dot hands over responsibility; until then it is
the sender's. Every command has one reply: three digits, the first of which says whether it was accepted (2), accepted so
far (3), refused for now (4) or refused (5); an enhanced code (RFC 2034, RFC 3463) often says why. With
PIPELINING (RFC 2920) a client need not wait for each reply before it says the next thing.

=================  ============================================  ==========
`reply`            a reply, its reader, the errors               both sides
`data`             the message on the wire, to and fro           both sides
`command`          the commands, each checked when it is built   client
`extension`        what a server offers, and is asked for by it  client
`client`           who may say what, and when: two tables        client
`handshake`        from the greeting to the first MAIL           client
`transaction`      one message and its recipients                client
`server`           the receiving side                            server
`server_state`     its states, and what holds for all sessions   server
`server_events`    what it asks its driver                       server
`server_commands`  the grammar of commands                       server
`server_message`   a message as it arrives                       server
`server_patience`  what a client may do in vain                  server
`proxy`            who called a proxy before us                  server
=================  ============================================  ==========

What AUTH carries is `mailer.sasl`. A driver (`mailer.transport.connection`) waits for the network and decides nothing. Nothing
here opens, sleeps, logs or asks for the time.
"""
