"""The network: names looked up, streams of bytes, the addresses of a host called in turn, and the accept loop of our own servers.

Everything here waits for other hosts. What is said over a stream is decided by `mailer.smtp`; sessions are `mailer.transport`'s.

==================  ==================================================================================
`dns`               MX, A and AAAA records, with a cache
`query`             one question to the name servers
`records`           what the DNS has as rules want it, and a rule with its questions
`turns`             which questions are asked now, where there are more of them than sockets
`happy_eyeballs`    the addresses of a host: their order, and one tried after the other with a small delay
`stream`            bytes to and fro, with deadlines and TLS
`dialer`            a way to a host that is no plain TCP; a unix socket
`proxy`             a proxy as such a way
`tls`               a requirement as an SSL context, and the sessions that may be resumed
`oauth`             access tokens in place of a password, fetched and kept
`oauth_login`       the first token: somebody consents in a browser
`oauth_endpoint`    one question to a provider of tokens
`aside`             what would keep the event loop: in a thread beside it, or a portion in each of its turns
`https`             one request to a host of others, screened and without redirects
`os_error`          what the system calls a failure
`broker`            a message broker, and a connection to it
`server`            the accept loop on which every server stands
`peer`              who calls a server, by the kernel or by a proxy
`listening`         sockets that listen, of TCP and on a path
`handshakes`        how many handshakes of TLS are made at a time
`activation`        sockets that the service manager has opened
==================  ==================================================================================
"""
