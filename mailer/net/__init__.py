"""The network: names looked up, streams of bytes, SMTP sessions, and the pool that keeps them warm.

Everything here waits for other hosts, and nothing else does. What is said in a session is decided by `mailer.smtp`;
which host is called, and what its answers mean for mail, by `mailer.delivery`.

``dns``          MX, A and AAAA with a cache
``stream``       bytes to and fro, with deadlines and TLS
``tls``          a requirement as an SSL context
``endpoint``     what makes two sessions interchangeable; how long each answer may take
``connection``   one SMTP session
``pool``         sessions that wait for the next message
"""
