"""What touches the world, one thing a file. Nothing here decides.

============  ========================================================================
`system`      `os`, without what a submission has no use for
`compiled`    the short way to modules that are compiled already
`clock`       the time of day, handed in, and how it was set
`durable`     writing to disk so that it is there after the power fails
`computing`   threads that compute one at a time
`haste`       threads that wait for nobody
`database`    a file of SQLite that several processes use
`maildir`     writing to a Maildir
`people`      users of this machine, and who is meant by a section of a configuration
`machine`     names, addresses and users of this machine
`signals`     signals while a message comes in, and SIGHUP while the daemon runs
`notify`      the service manager
`collector`   what a process that lasts wants of the collector of garbage
`loop`        the event loop of a program
`lock`        a process of which there may be one
`descriptors` how many of them this process may have, and its callers
`extras`      what to type for an extra of this installation that is missing
`leash`       a process that the daemon has started ends when the daemon does
`child`       a program that was started, and its end
`component`   what the daemon consists of: parts that start, reload and stop; chores
============  ========================================================================
"""
