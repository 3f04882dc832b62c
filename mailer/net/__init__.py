"""The network: names looked up, streams of bytes, SMTP sessions, the pool that keeps them warm, and the accept loop of our own servers.

Everything here waits for other hosts, and nothing else does. What is said in a session is decided by `mailer.smtp`; which host is
called, and what its answers mean for mail, by `mailer.delivery`.

==================  ==================================================================================
`dns`               MX, A and AAAA records, with a cache
`query`             one question to the name servers
`turns`             which questions are asked now, where there are more of them than sockets
`happy_eyeballs`    the addresses of a host: their order, and one tried after the other with a small delay
`stream`            bytes to and fro, with deadlines and TLS
`tls`               a requirement as an SSL context, and the sessions that may be resumed
`oauth`             access tokens in place of a password, fetched and kept
`endpoint`          what makes two sessions interchangeable; how long each answer may take
`session`           an SMTP session, all of it but the mail
`connection`        mail over a session
`transcript`        what was said in a session, and how long each step took
`pool`              sessions that wait for the next message
`errors`            a session that did not come about, or broke
`aside`             what may take long, in a thread beside the event loop
`server`            the accept loop on which every server stands
==================  ==================================================================================
"""
