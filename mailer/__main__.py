"""``python -m mailer``: the same as ``mailer``, for where the script is not on the path."""

import sys

from mailer.cli import start

start(["mailer", *sys.argv[1:]])
