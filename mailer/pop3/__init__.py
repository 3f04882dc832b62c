"""POP3 (RFC 1939) as machines: bytes in, questions, commands or answers out.

A mailbox is a list of messages, numbered for as long as a session lasts. Whoever fetches one says who he is (AUTHORIZATION), asks for what
there is and marks what is to be deleted (TRANSACTION), and says QUIT: only then is deleted what was marked (UPDATE), so that a connection
which is lost deletes nothing. A message has a name that lasts, the one that UIDL tells. CAPA is of RFC 2449, STLS of RFC 2595, AUTH of
RFC 5034, and what stands in brackets behind ``-ERR`` of RFC 2449 §8 and RFC 3206.

`client`     the client's side, as a machine
`listing`    what CAPA, STAT, LIST and UIDL say
`server`     the server's side, as a machine
`questions`  what that asks before it answers
`states`     who may say what to it, and when; what it says that it can
`commands`   the lines of a client, read
`maildrop`   the messages of one session, as they were when it began
`content`    a message on its way: line ends, dots, and as much of it as TOP wants
"""

from __future__ import annotations
