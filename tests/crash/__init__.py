"""The program dies, or the disk fails it, at every system call of put, settle and adopt, and loses nothing.

`injected.py` runs a program under strace. First it is only watched, which lists its system calls between two
marks; then it is run once more for each of them, and dies (SIGKILL) where that call would have begun, or has
the call fail with an error of the kernel's. Dying at the start of each call is dying after each one before
it. `victim.py` is the program: one operation of the spool and nothing else. Afterwards `wreck.py` reads what
is on disk, as a restarted program would, and says whether it is whole.

Under strace a process is killed, the machine is not: what the page cache would lose in a power failure is not
covered here. The order of the syncs is, in `test_order.py`.
"""
