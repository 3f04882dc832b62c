"""The sandbox: whose mail goes another way than its address says, by the section ``[sandbox]``.

A part of routing, so that whatever waits obeys, however it came in and whenever that was. The loader asks for each recipient whether mail
for it is `diverted`; all of a message that is goes one way, which `find` knows: into the trap, without a question to the DNS, or
to the one address that gets everything.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mailer.mail.address import domain_of
from mailer.mail.pattern import fits
from mailer.transport.route import Route

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mailer.config.sections import Sandbox

DIVERTED = "*"
"""What stands in the place of the domain for mail that is diverted; no domain is called so."""

TRAP = "sandbox"
"""The destination of what is trapped."""


class Diversion:
    """What `sandbox`, which holds, does with mail; `find` knows the ways of all that leaves."""

    def __init__(self, sandbox: Sandbox, find: Callable[[str], Awaitable[Route]]) -> None:
        self.sandbox = sandbox
        self._find = find

    def domain(self, address: str) -> str:
        """What the way of mail for `address` is looked for by: its domain, or `DIVERTED`."""
        return DIVERTED if diverts(self.sandbox, address) else domain_of(address)

    async def find(self, domain: str) -> Route:
        """The route for `domain`. Raises `Unroutable`."""
        if domain != DIVERTED:
            return await self._find(domain)
        if self.sandbox.mode != "redirect":
            return Route(TRAP, (), relay=True, transport="trap", place=self.sandbox.keep)
        return replace(await self._find(domain_of(self.sandbox.to)), instead=self.sandbox.to)


def diverts(sandbox: Sandbox, address: str) -> bool:
    """Whether `sandbox` keeps mail for `address` from it."""
    if sandbox.mode == "allowlist":
        return not any(fits(pattern, address) for pattern in sandbox.allow)
    return sandbox.holds
