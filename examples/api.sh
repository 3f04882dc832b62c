#!/bin/sh
# Hand a mail to the API with curl, once however often this runs, and ask what became of it:
#     MAILER_KEY=mlr_... sh api.sh http://127.0.0.1:8025 anna@example.net order-4711
set -eu
api=$1 person=$2 order=$3

# The key is in a file that nobody else can read: other users of the machine see the command line of curl.
secret=$(mktemp)
trap 'rm -f "$secret"' EXIT
printf 'Authorization: Bearer %s\n' "$MAILER_KEY" > "$secret"

# What has a request id may be asked for again: when no answer comes, and when the server says so (429, 503), as late as it says.
call() {
  curl --header "@$secret" --silent --show-error --fail-with-body --retry 5 --retry-connrefused --max-time 30 "$@"
  echo
}

call "$api/send_email" --header 'Content-Type: application/json' --data-binary @- <<JSON
{
  "request_id": "$order",
  "from_address": "Our shop <shop@example.com>",
  "to_addresses": ["$person"],
  "subject": "Your order",
  "body_plain": "$order is on its way."
}
JSON
call "$api/status/$order"
