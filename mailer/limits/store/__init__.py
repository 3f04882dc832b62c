"""Where it is written down what is remembered for limits.

`api`     the interface
`sqlite`  in a file of SQLite
`memory`  in memory
"""

from __future__ import annotations
