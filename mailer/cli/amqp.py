"""``mailer amqp``: the process of the message queue, in the foreground."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.io.loop import run_loop

from . import OK
from .options import Subcommand
from .run import HANGUP

if TYPE_CHECKING:
    from .options import Given


def run(given: Given) -> int:
    """Take mail and give results until told to stop."""
    from mailer.amqp.process import AmqpProcess

    try:
        run_loop(AmqpProcess((given.text("--config"), given.text("--spool")), hangups=HANGUP.listen).run())
        return OK
    finally:
        HANGUP.ignore()


COMMAND = Subcommand(
    "amqp",
    run,
    summary="the process of the message queue: mail from RabbitMQ, results back",
    about=(
        "Takes mail from the queues of a broker that speaks AMQP 0-9-1, such as RabbitMQ ([amqp] in mailer-config(5)), until SIGTERM or "
        "SIGINT; stays in the foreground and logs to standard error. `mailer run` starts it where amqp.url_file is set; a service of its "
        "own, mailer-amqp.service, does so with more confinement. What it takes is in the spool, whether the daemon runs or not. SIGHUP "
        "(`mailer reload` passes it on) reads the configuration again. Needs the extra amqp: pip install 'mailer-mta[amqp]'.\n\n"
        "A message is an object of JSON, as POST /send_email of the API takes it: from_address, to_addresses, cc_addresses, "
        "bcc_addresses, subject, body_plain, body_html, attachments, headers, priority, request_id, and beside the message list_unsubscribe"
        " (auto: a link with which its one recipient leaves the stream) and ignore_suppression, which a queue may say whose section "
        "[[amqp_queue]] allows it. It is not compressed. Nothing is fetched for it: an attachment has its contents in data_base64, and a "
        "download_url becomes a link. Publish it persistent, with confirms.\n\n"
        "A request with the same request_id, or, where it has none, with the same property message-id, is queued once; each queue has "
        "its own. Without both, a crash at the wrong moment can double a message. Its submitter is amqp:QUEUE, with the stream that "
        "[[amqp_queue]] gives it, and may send as whom that section allows. A header traceparent (W3C Trace Context) is carried on. "
        "The property reply-to names a queue that is given the answer, with the message's correlation-id: id, status, repeat and "
        "recipients, or error.\n\n"
        "What is in the spool, durably, is acknowledged, after the reply. What is wrong (no JSON, an unknown member, a sender who is not "
        "allowed, a body larger than 4/3 of submission.max_message_size and 1 MB) is rejected without requeue, and so becomes a dead "
        "letter behind the exchange amqp.dead_letter; a message in the queue of that name with .reasons behind it says why, with its "
        "message-id as the correlation-id. When the disk is full or fails, no mail is taken, what is held goes back once, and it goes on "
        "when there is room: alarm disk. A reply that no queue takes is counted, and an alarm, unheard: the message is queued all the "
        "same. When the connection is lost, what was not acknowledged comes again, and the broker is called again with growing pauses: "
        "alarm broker. With amqps:// its certificate has to bear its name.\n\n"
        "Queues are quorum queues with a delivery limit; those of RabbitMQ 3 know no priority of messages, so `priority` rules the "
        'order in our own queue, and amqp.queues that of several queues; amqp.type = "classic" has the broker sort. With amqp.declare = '
        "false nothing is made at the broker: see to it that each queue has an exchange of dead letters, or what is rejected is gone. "
        "A quorum queue keeps a dead letter until the queue behind the exchange has it (x-dead-letter-strategy at-least-once, x-overflow "
        "reject-publish): none is lost when the broker is killed. That takes RabbitMQ 3.10; one that is older, a queue that was made "
        "without, until a policy gives it both (dead-letter-strategy, overflow), and a classic queue may lose the last ones then. A "
        "broker that is killed while it is told of a rejection may keep the dead letter and hand the message out once more: then the same "
        "dead letter, and its reason, are there twice, with one message-id.\n\n"
        "With amqp.events each event of the journal is published to that topic exchange, persistent, with a key "
        "such as delivered.example.net, and permanent failures to the queue amqp.failed besides. It is remembered how far the broker has "
        "confirmed: each event comes at least once, with its id as the message-id."
    ),
    examples=("mailer amqp", "mailer amqp --config /etc/mailer/config.toml"),
    epilog=(
        "exit codes: 0 stopped · 69 the extra amqp is not installed · 75 another one works for this spool · 77 no permission · "
        "78 configuration, or no broker in it. A broker that is not there, or refuses the login, is waited for."
    ),
)
