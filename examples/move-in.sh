#!/bin/sh
# Everybody of a list moves in from another IMAP server: lines of ADDRESS, NAME there, FILE with the password there.
# Run it once before mail is led here and once after: what came to the old server in between is added, and nothing comes twice.
set -u
server=${1:?usage: move-in.sh imaps://HOST < list}
failed=0
while read -r address name secret; do
  mailer mailbox import "$address" "$server" --make --user "$name" --password-file "$secret" < /dev/null || failed=1
done
exit "$failed"
