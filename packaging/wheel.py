"""What a wheel holds besides the package, where man(1) and the shells look for it: a hook of hatchling, named in pyproject.toml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

COMPLETIONS = {
    "mailer.bash": "bash-completion/completions/mailer",
    "mailer.zsh": "zsh/site-functions/_mailer",
    "mailer.fish": "fish/vendor_completions.d/mailer.fish",
}


class SharedFiles(BuildHookInterface[Any]):
    """Adds the manual pages, the completions and the units of the tree as files of ``share``."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's interface
        """Name them in `build_data`; the version of the build is no matter."""
        tree = Path(self.root)
        files = {str(page): f"share/man/man{page.suffix[1:]}/{page.name}" for page in sorted(tree.glob("man/mailer*.[1-8]"))}
        files |= {str(tree / "packaging/completions" / name): f"share/{place}" for name, place in COMPLETIONS.items()}
        files |= {str(unit): f"share/mailer/systemd/{unit.name}" for unit in sorted((tree / "packaging/systemd").iterdir())}
        build_data["shared_data"] |= files
