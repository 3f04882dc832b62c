"""Lessons: what users have said of their mail, kept until each filter that learns has been told.

`api`     a lesson, and the interface of where they are kept
`memory`  kept in memory
`sqlite`  kept in ``lessons.sqlite3`` beside the spool
"""

from __future__ import annotations
