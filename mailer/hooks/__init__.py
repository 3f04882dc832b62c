"""Webhooks: events are posted to endpoints of others, each at least once, for as long as it takes.

`mailer hooks run` is a process of its own. It reads the journal (`mailer.journal`), with a cursor for each endpoint, and is signed as
Standard Webhooks (https://www.standardwebhooks.com) has it: three fields in the header say which event it is, when it was posted, and that
whoever has the secret did that. An endpoint that does not answer keeps its cursor, and gets what it has not had when it is back; one that
refuses an event has it kept apart; one that says 410 is switched off.

What holds: an event is done with only when the endpoint has answered 2xx, or when it is in the file of dead events, synced; the cursor
moves after that. So a crash at any moment repeats events and loses none, and their IDs stay. No redirect is followed, no address is called
that was not screened, and no endpoint waits for another.

===============  ===========================================================================
`signing`        secrets and signatures
`payload`        what is posted of an event, in two formats
`endpoint`       how an endpoint does, and what an answer makes of it
`post`           one post, and what came of it
`subscriber`     one endpoint's reader of the journal: what is posted when
`sender`         the process: all endpoints, the configuration, wishes
`api`            what is kept of endpoints: the interface
`files`          that in files of the spool
`memory`         that in memory
`view`           how endpoints do, for whoever asks
`watch`          what the daemon tells of endpoints: alarms and figures
===============  ===========================================================================
"""
