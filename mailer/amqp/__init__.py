"""The door for programs that speak AMQP 0-9-1 to a broker such as RabbitMQ, in a process of its own: mail from queues, and results back.

The promise: a message is acknowledged when it is in the spool, on the disk; what crashes before that, here or there, comes again. With a
request id, or a message-id of the broker's, that makes no second message: the queue is the scope of the id.

What becomes of a message of a queue:

==================================  =========================================================================================
what happened                       what the broker is told
==================================  =========================================================================================
it is in the spool, or was          the reply, if one is wanted, is published and confirmed; then ``ack``
the message is wrong, or forbidden  the reason is published; then ``reject`` without requeue: it becomes a dead letter
the disk is full, or fails          nothing more is taken, ``nack`` once of all that is held; it goes on when there is room
a reply that reaches nobody         ``ack`` all the same: the message is ours; it is counted, and an alarm
the connection is lost              nothing: what is not acknowledged comes again
==================================  =========================================================================================

Results go the other way: what the journal has is published to a topic exchange, and the cursor moves when the broker has confirmed.

=============  ==================================================================================
`process`      ``mailer amqp``: the process, its signals, its alarms, and one visit at the broker after the other
`visit`        one visit: both connections, what is declared, and who works until one is lost
`declaring`    the queues and exchanges that have to be there
`consumer`     one queue: what is held of it, and what is told of that
`letter`       what a queue delivers, as a value, and the submission that it asks for
`shelf`        what waits for its turn, by the priority of queues
`taking`       many of them put together, in threads
`answers`      replies and reasons: what is published about a message
`results`      the journal, published
`figures`      what is counted, for Prometheus
=============  ==================================================================================

It needs the extra ``amqp``.
"""
