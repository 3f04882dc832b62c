"""`os`, as far as a submission needs it: a program that starts without `site`, as our sendmail does, never loads the whole.

`os` is made of `posix`, and of what comes with it: abstract classes of all containers, and paths of its own making. Those cost a fifth of
a bare start. So where nobody has imported it, each thing is taken from `posix`, and only what is not there imports `os` after all. Where
it is loaded already, it is `os` and nothing else.

Used by all that a plain message passes through, which says ``from mailer.io.system import os``.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os as os  # noqa: PLC0414 - for others
else:
    import posix

    class System:
        """Stands for `os` until that is loaded."""

        def __getattr__(self, name: str) -> object:
            if "os" not in sys.modules:
                if name == "environ":
                    return environment()
                if hasattr(posix, name):
                    return getattr(posix, name)
            import os

            return getattr(os, name)

    def environment() -> dict[str, str]:
        """The environment as `os.environ` has it, to be read: what writes there has to import `os`."""
        how = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()
        return {name.decode(*how): value.decode(*how) for name, value in posix.environ.items()}

    os = sys.modules.get("os") or System()
