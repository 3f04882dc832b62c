"""The reading of mail by IMAP (RFC 9051, and RFC 3501 before it): a machine for the server's side, and what is said, as values and octets.

What the standard says, in a dozen lines. The server greets; a client that nobody knows may begin TLS and log in, and then selects one
folder at a time (§3). Each command begins with a tag of the client's choice, and ends with a line of the server's that begins with it:
OK, NO where it could not be done, BAD where it is not understood (§7.1). Between them, and at other times, the server says untagged
lines: what was asked for, and what has changed. Octets that no line can carry come as literals, told by their length; the client waits to
hear that it may send one, unless it is small (§4.3, RFC 7888). A message has a UID, which stays, and a number, which is its place among
those that the client was told of (§2.3.1). So the server tells of a message that went only when no command by number is under way, in
which it would mean another one (§7.5.1). Flags are per folder and message (§2.3.2). What was learnt is brought up to date by MODSEQ, a
number that only grows (RFC 7162). Most of IMAP is extensions: a server tells which it has (§6.1.1), and the client enables those that
change what is said (§6.3.1).

The machine
`server`         bytes in, questions out, answers in, bytes out
`reader`         octets become commands, with their literals, within bounds
`states`         which command when, and what follows, as tables
`capability`     what there is, told and obeyed by one table; the settings
`needs`          what a command needs besides its verb
`patience`       what a client may do in vain
`questions`      what is asked of whoever drives it
`view`           what a session was told of its folder, and is to be told
`uids`           the UIDs of a folder in its order
`recent`         those that are recent for a session

What a client says
`command`        commands as values
`lexer`          the arguments of a command, token by token
`grammar`        which verb has which grammar
`authing`        the grammar of logging in, ID, ENABLE
`selecting`      that of SELECT, EXPUNGE, COPY, MOVE
`storing`        that of STORE
`appending`      that of APPEND and REPLACE
`searching`      that of SEARCH, SORT and THREAD
`fetching`       that of FETCH
`listing`        that of commands about folders
`notifying`      that of NOTIFY
`metadata`       METADATA, what clients note at folders
`quotas`         QUOTA, how much a mailbox may have

What is said to it
`answer`         what a command is answered with in the end
`response`       status lines, codes, and what is told of a folder
`fetched`        what is answered to FETCH
`sections`       where the sections of a message are
`body`           BODY made of BODYSTRUCTURE
`found`          messages that were found
`sorting`        messages in the order that a client wants
`threading`      messages as conversations
`collation`      how texts are compared when they are put in order
`listed`         what is said of folders
`patterns`       the patterns of LIST
`hierarchy`      which names LIST and LSUB answer with
`sets`           sets of numbers, read and written
`flags`          flags and keywords
`strings`        quoted strings, literals, NIL
`names`          names of folders, in modified UTF-7
`envelope`       ENVELOPE: what the header says
`bodystructure`  BODYSTRUCTURE: which parts there are

Nothing here opens, sleeps, logs or asks for the time.
"""

from __future__ import annotations
