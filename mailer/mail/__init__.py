"""The words that every other room says: addresses, messages, envelopes, outcomes.

Mail is two things that people take for one. The *message* (RFC 5322) is what its reader sees: header
lines, an empty line, a body. The *envelope* (RFC 5321 §2.3.1) is what the post needs: one
reverse-path, to which reports go, and the recipients. The envelope is not derived from the header
when mail moves from host to host; only a submission with ``-t`` reads recipients there, once.

What happens to mail is said once per recipient and attempt, as an `Outcome`; all that was said about
one message so far is its `History`.

==================  ==========================================================================================
`alarm`             trouble that a person has to know of
`address`           an address, and what may stand in an envelope
`address_key`       the form in which addresses of mailboxes are compared
`address_list`      the one reader of addresses as people and programs write them
`domain`            a domain as the DNS knows it
`pattern`           what ``*`` means in an address, a domain or a host name
`shape`             what is left of a subject without what differs each time
`ip_filter`         addresses to which no stranger's DNS may lead us
`ip_network`        the networks that a client's address counts with
`web_url`           the address of something that is called by HTTP
`message`           a message as bytes: line ends, header fields, body
`entity`            a part of a message, found within it
`flags`             what a message of a folder is marked by, and sets of messages by their UIDs
`query`             what messages of a mailbox are looked for by
`mime`              how text becomes lines that every mail system takes
`neighbours`        the processes beside a daemon
`named`             who a message names
`masked`            addresses without the part that names a person
`repair`            a message that not every server would take, mended
`header_repair`     the same for its header
`header_check`      whether a stranger's header is one that all readers read alike
`downgrade`         8-bit made 7-bit, for a host that takes nothing else
`arrival`           how a message came to a door of ours
`trace`             what hosts write on top of a message that they take or deliver
`refusal_reason`    why a door refuses somebody, in a word
`envelope`          the envelope of a message in the spool
`envelope_reader`   the reader of that
`delivery_options`  what a sender asks of those who carry the message
`outcome`           what happened to one recipient in one attempt, and its cause
`history`           all that is known of the recipients of a message
`document`          the JSON of a message, as every door gives it away
`principal`         who hands mail in, and how that was proved
`traceparent`       which step of which trace caused something
`problem`           an error that a person caused or can mend
`dates`             moments as text
`text`              what octets from outside mean, and what of that may be shown
==================  ==========================================================================================

Everything here is pure: no clock, no files, no network. `address`, `message` and `envelope` are on
the path of every ``mailer send`` and so import nothing that costs start-up time (no `re`, `json`,
`dataclasses`, `typing`); ``tests/cli/test_send_imports.py`` holds that.
"""
