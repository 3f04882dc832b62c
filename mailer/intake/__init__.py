"""The door for other users of this machine: what they hand in, and what they may ask.

They are strangers, however well the machine knows them: whatever comes from them is judged here, by the daemon, and their own
program is trusted with nothing. Two ways lead in, and both end in `mailer.spool.files.admit`:

``drop/``     files, looked at when the doorbell names one, at each rescan, and when the daemon starts
``intake``    a unix stream socket, on which the kernel says who is calling (SO_PEERCRED, unix(7))

On the socket a user can also ask what became of his own mail, and cancel what has not left. Nobody hears of anybody else's mail, nor
whether there is any: what is not one's own is not known.

============  ===========================================================================================
`rules`       who may send, and as whom
`handlers`    a question, and the answer to it
`adoption`    when ``drop/`` is looked at, and what is told of it
`socket`      the socket: frames, limits, and that no caller harms another
`component`   all of it as the daemon has it, and the doorbell
`client`      the other end, for ``mailer status`` and its like
`view`        what a user may see of a spool: all, or what the daemon tells
============  ===========================================================================================

The frames are described in `mailer-spool(5)`; `mailer.spool.files.handover` is the sender's end.
"""
