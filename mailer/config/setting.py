"""How a section is declared: a frozen dataclass whose fields are settings, each with its sentence beside it.

`setting` makes such a field; `settings` lists those of a section. The reader, the printed manual and
``mailer config`` know the sections only through these.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from .kinds import Kind


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of a section; see `setting`. `default` is as in the program."""

    key: str
    kind: Kind
    doc: str
    default: Any
    shown: str
    example: str
    private: bool

    @property
    def required(self) -> bool:
        """Whether the key has to be there."""
        return self.default is MISSING


def setting(
    kind: Kind,
    doc: str,
    default: Any = MISSING,
    *,
    factory: Callable[[], Any] | None = None,
    shown: str = "",
    example: str = "",
    private: bool = False,
) -> Any:
    """A field for one key: `default` is written as in the file, empty for what is not set, or `factory` works it out.

    Where the true default is worked out, `shown` says how, and `default` is the program's value for that.
    `example` is what the example file writes in place of the default. A `private` value is shown only in part.
    """
    about = {"kind": kind, "doc": doc, "shown": shown, "example": example, "private": private}
    if factory is not None:
        return field(default_factory=factory, repr=not private, metadata=about)
    if default not in (MISSING, "", ()) and not shown:
        default = kind.read(default)
    return field(default=default, repr=not private, metadata=about)


def settings(section: Any) -> tuple[Setting, ...]:
    """The settings of a section, class or value, in the order in which the manual lists them."""
    found = []
    for item in fields(section):
        if "kind" in item.metadata:
            default = item.default_factory if item.default is MISSING else item.default
            found.append(Setting(item.name, default=default, **item.metadata))
    return tuple(found)
