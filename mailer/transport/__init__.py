"""Transport: how mail travels from here to the next host, for the daemon and for programs alike, and the one judge of what came of it.

`route`       where mail goes, and on what terms             `courier`     what carries mail, by name; SMTP and LMTP
`exchange`    one message over sessions                      `connection`  mail over a session
`session`     one SMTP session, from the call to QUIT        `pool`        sessions that wait for the next message
`lender`      those of a program: how many, who waits        `transcript`  what was said, for people
`verdict`     what becomes of a recipient after a reply      `errors`      a session that did not come about, or broke
"""
