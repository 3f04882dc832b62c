#!/bin/sh
# A nightly job: back up all mailboxes to another disk, and say so only where something is wrong.
set -eu
place=${1:-/mnt/backup/mail}
mountpoint -q "$(dirname "$place")" || { echo "the disk of the backups is not mounted: $place" >&2; exit 75; }
mailer mailbox backup "$place" --keep 14 --quiet
mailer mailbox verify --quick --quiet
