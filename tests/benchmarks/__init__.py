"""Measurements against other mail programs on the same machine, in the same run. None of them is a test.

    python tests/benchmarks/send.py      what one submission costs
    python tests/benchmarks/drain.py     how fast a queue empties

Each has ``--help`` and ends with lines ``FIGURE …``. Machines are shared and noisy, so what is compared is measured in
turns, medians are printed, and the ratio between two medians of one run is what may be quoted.
"""

import signal
import sys
from pathlib import Path

if Path(sys.argv[0]).resolve().parent == Path(__file__).parent:  # started as a program: told to end, it ends what it has started
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
