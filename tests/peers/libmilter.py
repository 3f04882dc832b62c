"""A milter on sendmail's own libmilter, for tests: started with the library, a port and a plan in JSON, it does what that says.

``python libmilter.py LIBRARY PORT PLAN``. The plan has ``steps``, the negotiated ones (`SMFIP_…`), ``eom``, calls of the library at the end
of a message, as ``["addheader", "X-Mark", "mine"]``, and ``reply``, the arguments of smfi_setmlreply at a recipient whose address has
``refused`` in it. What the filter was told is printed, a line of JSON for each step.
"""

from __future__ import annotations

import ctypes as c
import json
import sys
from typing import Any

CONTINUE, REJECT, NOREPLY = 0, 1, 7
VERSION = 0x01000001
ACTS = 0x1FF
TEXT = c.c_char_p


def callback(*arguments: Any) -> Any:
    """The type of a callback, whose first argument is always the context."""
    return c.CFUNCTYPE(c.c_int, c.c_void_p, *arguments)


TYPES = {
    "connect": callback(TEXT, c.c_void_p), "helo": callback(TEXT),
    "envfrom": callback(c.POINTER(TEXT)), "envrcpt": callback(c.POINTER(TEXT)),
    "header": callback(TEXT, TEXT), "eoh": callback(), "body": callback(c.POINTER(c.c_ubyte), c.c_size_t), "eom": callback(),
    "abort": callback(), "close": callback(), "unknown": callback(TEXT), "data": callback(),
    "negotiate": callback(*[c.c_ulong] * 4, *[c.POINTER(c.c_ulong)] * 4),
}  # fmt: skip


class Descriptor(c.Structure):
    """struct smfiDesc of libmilter/mfapi.h."""

    _fields_ = [("name", TEXT), ("version", c.c_int), ("flags", c.c_ulong), *TYPES.items()]


def main(library: str, port: str, plan: dict[str, Any]) -> int:
    """Be the filter until somebody ends it."""
    milter = c.CDLL(library)

    def told(step: str, *what: str) -> int:
        print(json.dumps([step, *what]), flush=True)
        return CONTINUE

    def text(value: bytes | None) -> str:
        return (value or b"").decode("utf-8", "replace")

    def symbol(context: int, name: str) -> str:
        milter.smfi_getsymval.restype = TEXT
        return text(milter.smfi_getsymval(c.c_void_p(context), name.encode()))

    def envrcpt(context: int, arguments: Any) -> int:
        told("envrcpt", text(arguments[0]), symbol(context, "{rcpt_addr}"))
        if b"refused" in arguments[0]:
            milter.smfi_setmlreply(c.c_void_p(context), *[each and each.encode() for each in plan["reply"]], None)
            return REJECT
        return CONTINUE

    def eom(context: int) -> int:
        told("eom")
        for name, *arguments in plan["eom"]:
            given = [each.encode() if isinstance(each, str) else each for each in arguments]
            if name == "replacebody":
                given = [given[0] * given[1], len(given[0]) * given[1]]
            if getattr(milter, f"smfi_{name}")(c.c_void_p(context), *given) != 0:
                told("failed", name)
        return CONTINUE

    def negotiate(context: int, acts: int, steps: int, _: int, __: int, out: Any, wanted: Any, *others: Any) -> int:
        told("negotiate", hex(acts), hex(steps))
        out[0], wanted[0], others[0][0], others[1][0] = acts, plan["steps"], 0, 0
        return CONTINUE

    does = {
        "connect": lambda context, host, _: told("connect", text(host), symbol(context, "j")),
        "helo": lambda _, name: told("helo", text(name)),
        "envfrom": lambda context, arguments: told("envfrom", text(arguments[0]), symbol(context, "{mail_addr}")),
        "envrcpt": envrcpt,
        "header": lambda _, name, value: told("header", text(name), text(value)),
        "eoh": lambda _: told("eoh"),
        "body": lambda _, data, size: told("body", str(size), bytes(data[: min(size, 20)]).decode("latin-1")),
        "eom": eom,
        "abort": lambda _: told("abort"),
        "close": lambda _: told("close"),
        "unknown": lambda _, line: told("unknown", text(line)),
        "data": lambda _: told("data"),
        "negotiate": negotiate,
    }
    held = {name: TYPES[name](does[name]) for name in TYPES}
    descriptor = Descriptor(b"plan", VERSION, ACTS, *held.values())
    milter.smfi_setconn(f"inet:{port}@127.0.0.1".encode())
    milter.smfi_register.argtypes = [Descriptor]
    milter.smfi_register(descriptor)
    return int(milter.smfi_main())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3])))
