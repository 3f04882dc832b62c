"""Prints Debian's copyright file of the package: our licence, and those of the libraries in it, out of their metadata.

packaging/debian/copyright.py LICENSE SITE-PACKAGES PLACE
"""

from __future__ import annotations

import sys
from email.message import Message
from importlib.metadata import Distribution, distributions
from pathlib import Path


def main(ours: str, packages: str, place: str) -> None:
    """Print it; the libraries are in `packages` now, and in `place` when the package is installed."""
    text = Path(ours).read_text().strip()
    print("Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n")
    print("Files: *\nCopyright: The mailer developers\nLicense: Expat\n")
    for found in sorted(distributions(path=[packages]), key=lambda each: each.metadata["Name"].lower()):
        if found.metadata["Name"] != "mailer-mta":
            print(stanza(found, place))
    print("License: Expat\n" + "\n".join(f" {line.strip() or '.'}" for line in text.splitlines()))


def stanza(found: Distribution, place: str) -> str:
    """What is said of one library: whose it is, its licence, and where that stands."""
    about: Message = found.metadata  # type: ignore[assignment]
    name, version = about["Name"], about["Version"]
    licence = about["License-Expression"] or licence_of(about)
    author = about["Author"] or about["Author-email"] or about["Maintainer-email"] or f"the authors of {name}"
    top = (found.read_text("top_level.txt") or name.replace("-", "_")).split()[0]
    home = about["Home-page"] or f"https://pypi.org/project/{name}/"
    lines = (
        f"Files: {place.lstrip('/')}/{top}*",
        f"Copyright: {' '.join(author.split())}",
        f"License: {licence.replace(' ', '-')}",
        f" {name} {version}, from {home}; what its project says of it is in",
        f" {place}/{name.replace('-', '_')}-{version}.dist-info.",
    )
    return "\n".join(lines) + "\n"


def licence_of(about: Message) -> str:
    """The name of a licence as older metadata have it."""
    classified = [value.rpartition(" :: ")[2] for key, value in about.items() if key == "Classifier" and value.startswith("License :: ")]
    return classified[-1] if classified else (about["License"] or "unknown").splitlines()[0]


if __name__ == "__main__":
    main(*sys.argv[1:])
