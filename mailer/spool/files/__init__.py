"""The spool as files: one message is one file, and each step of its life one atomic act on it; mailer-spool(5).

==============  ====================================================================================
`layout`        where things are, whose the spool is, and whether it has room
`message_file`  a message's file as bytes: what was put, and the records appended since
`enqueue`       how a message gets in; `batch`: many that share the waits for the disk
`idempotency`   the same request is put once
`doorbell`      a sender wakes the daemon; `daemons`: which spools have one, and `traces`: what it leaves
`store`         the directory: read, claim, record, move
`claim`         what this process has of one message: its lock, and what is open of it
`kept`          open files and contents of those that wait, and files that wait to be closed
`hearing`       the doorbell, hung, with a loop that listens
`spool`         all that as `mailer.spool.api.Spool`
`handover`      mail of users who may not write the spool, and `owner`: of root
`drop`          what they left in ``drop/``, and what of it is kept aside; `pickup` takes it, `admit` makes it ours
`replay`        a message that was given up, put again as a new one
`suspensions`   the file of suspensions
`sweep`         what is past its time goes
`condition`     what is not as it was made; `mend` puts it right
==============  ====================================================================================
"""
