"""The keys of programs that use the HTTP API: who is known here besides the users of the machine.

A key is shown once, when it is made; what is kept is the SHA-256 of its secret. That is enough, for a secret of 160 random bits is not
guessed from its digest, as a password that a person thought of would be. Whoever has the file can use no key.

`api`     a key, what it may do, and the interface of where keys are kept
`files`   keys in a file beside the configuration
`memory`  keys in memory
"""

from __future__ import annotations
