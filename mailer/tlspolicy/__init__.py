"""What must be true of a host before it gets mail.

A `requirement` is decided before the connection is made (by the route) and is part of
what makes two sessions interchangeable. It is never lowered afterwards: where it cannot be met, mail waits.
"""
