"""Address rewriting: who somebody of this machine is to the world. One set of rules, for header and envelope together.

Programs of a machine write to ``root`` and as ``www-data``. Such names mean nothing elsewhere: the mail bounces, or
worse, arrives at somebody else's ``root``. The configuration says who they are, and submission writes it into every
place at once, because half of it (the envelope alone, or the header alone) is what gets mail refused. The order:

1. A recipient that is a name of this machine, or an address with an alias, becomes what its alias says (``aliases``, the
   file in the form of aliases(5)), again and again until no alias is left.
2. An author of this machine becomes the one that its user has (``authors``).
3. Whoever has still no domain, or one that only this machine knows, gets one: ``default_domain``; an author without that the
   hostname. A recipient without a domain is refused: no domain that nobody chose is ever put behind a name.
4. An author below a domain of ``masquerade`` becomes one of that domain, unless he is an exception.

A name of this machine is one without a domain, or at a name that `mailer.io.machine` knows. The rules are in `rules`, the aliases in
`aliases`; `fields` writes what they say into a header, and touches nothing else in it, also for a relay that takes one author only,
and for a sandbox, when mail leaves.
"""

from __future__ import annotations

from .fields import diverted, identified, relayed, reverse_path
from .rules import Rules

__all__ = ["Rules", "diverted", "identified", "relayed", "reverse_path"]
