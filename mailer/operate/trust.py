"""Trust in the certificate that a relay showed: its fingerprint is written into the configuration, and nothing else is changed there.

Who looks at a relay is the daemon's user, who may not write the configuration; who writes is the one who asked. So the look is done by a
process of its own, `apart`.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, NamedTuple

from mailer.config.values import find
from mailer.mail.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from mailer.config import Config
    from mailer.config.sections.relay import Relay
    from mailer.shaping.replies import Reactions

    from .probe import Probed


class Look(NamedTuple):
    """What a look at a relay came to: the SHA-256 of the certificate, empty without one, whether it is accepted, and what is wrong."""

    fingerprint: str = ""
    verified: bool = False
    problem: Problem | None = None

    @classmethod
    def of(cls, probed: Probed, config: Config, known: Reactions) -> Self:
        """Of what a session showed."""
        found = probed.found
        fingerprint = next((each.fingerprint for each in found.certificates), "")
        return cls(fingerprint, found.encrypted and not found.unverified, probed.problem(config, known))


def apart(look: Callable[[], Look]) -> Look:
    """What `look` finds in a process of its own, whose rights it may give up. Raises the `Problem` that it raises there."""
    inlet, outlet = os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            os.close(inlet)
            _tell(outlet, look)
            code = 0
        finally:
            os._exit(code)  # whatever happened, this process goes nowhere else
    os.close(outlet)
    with open(inlet, "rb") as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    if not said:
        raise Problem("the look at the relay ended early; try it without --trust", "unavailable")
    raised, fingerprint, verified, problem = json.loads(said)
    trouble = Problem(problem[0], problem[1]) if problem else None
    if raised and trouble:
        raise trouble
    return Look(fingerprint, verified, trouble)


def _tell(outlet: int, look: Callable[[], Look]) -> None:
    """In the child: look, and tell what was found."""
    try:
        found, raised = look(), False
    except Problem as problem:
        found, raised = Look(problem=problem), True
    trouble = found.problem and (str(found.problem), found.problem.kind)
    os.write(outlet, json.dumps([raised, found.fingerprint, found.verified, trouble]).encode())


def pinnable(config: Config, name: str) -> Relay:
    """The relay `name`, whose certificate can be written down. Raises `Problem` (usage, bad-config)."""
    relay = config.relays.get(name)
    if relay is None:
        raise Problem(f"--trust is for a relay of the configuration, and there is no [relay.{name}]", "usage")
    if relay.tls not in ("starttls", "implicit"):
        raise Problem(
            f'no certificate of relay {name} counts with tls = "{relay.tls}"; first: mailer config set relay.{name}.tls starttls',
            "bad-config",
        )
    return relay


def trust(config: Config, name: str, fingerprint: str) -> str:
    """Add `fingerprint` to those of the relay `name`, where `config` was read from; says what was done. Raises `Problem`."""
    from mailer.config import edit

    path, data = find(config.path)
    known = (*config.relays[name].fingerprints, fingerprint)
    edit.save(path, edit.changed(path, data, [(f"relay.{name}.fingerprints", ", ".join(dict.fromkeys(known)))]))
    return f"wrote the fingerprint into {path}; a running daemon takes it on with SIGHUP"
