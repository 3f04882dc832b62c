"""``python -m mailer``: the same as ``mailer``, for where the script is not on the path."""

import sys

from mailer.cli import main

sys.exit(main(["mailer", *sys.argv[1:]]))
