"""Transport: how mail travels from here to the next host, for the daemon and for programs alike, and the one judge of what came of it.

`route`       where mail goes: the hosts, in order           `endpoint`    what makes two sessions interchangeable, and their deadlines
`courier`     what carries mail, by name; SMTP and LMTP      `exchange`    one message over sessions
`connection`  mail over a session, RFC 5321                  `session`     one SMTP session, from the call to QUIT
`pool`        sessions that wait for the next message        `transcript`  what was said, for people
`verdict`     what becomes of a recipient after a reply      `errors`      a session that did not come about, or broke
"""
