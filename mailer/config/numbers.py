"""Numbers that a program hands in: of settings that are dataclasses, and ports. They come out of environments and files as texts.

Python says of ``port="2525"`` only that something cannot be compared, some calls later. Here it is one line that names it.
"""

from __future__ import annotations

from typing import Any

KINDS: dict[str, Any] = {"int": int, "float": (int, float), "int | None": (int, type(None)), "float | None": (int, float, type(None))}
"""What may stand in a field that is declared so, by the text of the declaration."""


def check_numbers(settings: Any) -> None:
    """Raises `ValueError` for a field of the dataclass `settings` that is declared a number and has none."""
    for name, field in settings.__dataclass_fields__.items():
        wanted, value = KINDS.get(field.type), getattr(settings, name)
        if wanted and (not isinstance(value, wanted) or isinstance(value, bool) or value != value):  # noqa: PLR0124 - not a number
            raise ValueError(f"{name} is {'a whole number' if field.type.startswith('int') else 'a number'}, not {value!r}")


def check_port(port: object) -> None:
    """Raises `ValueError` for what is no port; 0 stands for one that is chosen elsewhere."""
    if not isinstance(port, int) or isinstance(port, bool) or not 0 <= port <= 65535:
        raise ValueError(f"port is a whole number from 0 to 65535, not {port!r}")
