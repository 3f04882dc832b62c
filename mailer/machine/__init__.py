"""The machine: what it is called, and which addresses are its own, as its files and its kernel say. Neither DNS nor network is asked.

A machine has many names. The kernel knows one, hostname(5) and hosts(5) more, and all of them know ``localhost``; programs
write mail from and to any of these. One name is what it is called in mail (``mailer.hostname``); the others mean nothing to
the world, where ``root@web1`` and ``root@localhost.localdomain`` are nobody.

``names``      the names, and the one that stands for all     ``own``   whether an address is this machine's
``hostsfile``  the system's own list of hosts   ``users``  what its users are called
"""
