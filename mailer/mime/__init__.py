"""Messages as readers see them: their parts, their text, and what is told of them in a list of mail.

MIME (RFC 2045, RFC 2046, RFC 2047, RFC 2183, RFC 2231) makes a tree of a message, and text of octets. What is here reads that for those who
keep mail and show it; `mailer.mail.entity` is for those who write a message anew on its way.

Whoever may send to us writes what is read here, so nothing fails because of how a message is: what is wrong is read as programs read it
that people use, and what is beyond a stated limit is not read. The time grows with the length, whatever is in it.

`rendered`    all that a mailbox keeps of a message beside it, made once
`tree`        the parts and where they are
`packed`      the tree as octets
`header`      the fields of a part
`parameters`  a media type and its parameters
`addresses`   addresses with their names
`text`        the text of parts, a preview, the names of files
`charset`     octets as text
`transfer`    bodies without their transfer encoding, as they come
`words`       encoded words
`html`        the text of HTML
`subject`     the subject without Re: and Fwd:
`date`        when it was written
"""

from __future__ import annotations
