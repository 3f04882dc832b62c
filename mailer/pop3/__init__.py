"""The client's side of POP3 (RFC 1939) as a machine: commands out, bytes in, answers out.

A mailbox is a list of messages, numbered for as long as a session lasts. Whoever fetches one says who he is (AUTHORIZATION), asks for what
there is and marks what is to be deleted (TRANSACTION), and says QUIT: only then is deleted what was marked (UPDATE), so that a connection
which is lost deletes nothing. A message has a name that lasts, the one that UIDL tells. CAPA and STLS are of RFC 2449 and RFC 2595.

`client`  the machine
`listing` what CAPA, STAT, LIST and UIDL say
"""

from __future__ import annotations
