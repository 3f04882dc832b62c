"""A bare Debian: the least that apt makes, and a few packages; made once by mmdebstrap, and kept below `.peers` of this clone."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.peers.install import PLACE

RELEASE = "bookworm"


def bare(*packages: str) -> Path:
    """The directory of such a system, to lie under a `Throwaway`. Raises `OSError` where mmdebstrap is missing."""
    place = PLACE / "-".join(("bare", *packages))
    if not place.exists():
        if not shutil.which("mmdebstrap"):
            raise OSError("a bare Debian needs mmdebstrap (apt-get install mmdebstrap)")
        PLACE.mkdir(parents=True, exist_ok=True)
        new = PLACE / f".new-{place.name}"
        shutil.rmtree(new, ignore_errors=True)
        include = [f"--include={','.join(packages)}"] if packages else []
        subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", *include, RELEASE, new], check=True)
        new.rename(place)
    return place
