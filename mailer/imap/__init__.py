"""What IMAP (RFC 9051, and RFC 3501 before it) says, as values and the octets that are sent: no socket, no clock.

`command`        what a client asks, as values
`answer`         what a command is answered with in the end
`lexer`          the arguments of a command, token by token
`sets`           sets of numbers, read and written
`flags`          flags and keywords, written
`uids`           the UIDs of a folder in its order
`view`           what a session was told of its folder, and is to be told
`listing`        the grammar of commands about folders
`patterns`       the patterns of LIST
`hierarchy`      which names LIST and LSUB answer with
`listed`         what is said of folders
`metadata`       METADATA, what clients note at folders
`quotas`         QUOTA, how much a mailbox may have
`searching`      the grammar of SEARCH, SORT and THREAD
`found`          what is said of messages that were found
`sorting`        messages in the order that a client wants
`threading`      messages as conversations
`collation`      how texts are compared when they are put in order
`fetching`       the grammar of FETCH
`fetched`        what is answered to FETCH
`sections`       where the sections of a message are
`body`           BODY made of BODYSTRUCTURE
`strings`        quoted strings, literals, NIL
`names`          names of folders, in modified UTF-7
`envelope`       ENVELOPE: what the header says
`bodystructure`  BODYSTRUCTURE: which parts there are
"""

from __future__ import annotations
