"""Queue a message, durably, with or without a daemon, and say what became of it. Once for an order, however often this runs.

python examples/into_the_queue.py bob@example.net order-7
"""

import sys

import mailer

person, order = sys.argv[1:]
email = mailer.Email(from_="shop@example.com", to=person, subject="Your order", text=f"{order} is on its way.")

try:
    id = mailer.queue(email, request_id=order)
except mailer.Problem as problem:
    sys.exit(f"not queued: {problem}")

for change in id.refused:
    print("undeliverable:", change.before, change.why)
record = mailer.outcome(id, wait=5 if id.heard else 0)  # heard: a daemon knows of it
print(id, "again" if id.repeat else "new", record.status, *(to.reply for to in record.recipients))
