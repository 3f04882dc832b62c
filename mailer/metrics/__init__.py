"""Figures of the daemon for a monitoring system that comes and fetches them, in the format of Prometheus; `mailer-metrics(7)` lists them.

=================  ==========================================================================================
`counts`           the listener: what events bring, in numbers
`incoming`         what the doors tell: taken, refused, logged in
`deliveries`       what outcomes bring, host by host
`sessions`         what the pool tells of sessions: logins, TLS, how long they last, which are open
`hosts`            which hosts have figures of their own: the busiest, and the others together
`row`              all that is counted of one host
`queue_figures`    how much waits, why, since when; asked for when somebody wants to know
`certificates`     when those of relays end, and ours
`host_families`    the families of hosts, made of rows
`incoming_families` those of `incoming`
`mailboxes`        what is put into mailboxes of our own
`mailbox_families` the families of those
`text`             families as text
`page`             what is read, made anew for each reader
`readers`          who reads it, over HTTP
`exporter`         the port, opened and closed as the configuration says
=================  ==========================================================================================

The library prometheus-client is imported by `page` alone, and `page` only when ``metrics.listen`` is set: where no figures are wanted, no
library is needed, and they cost nothing.

Names follow the conventions of Prometheus: a prefix, base units, ``_total`` for what only grows. A label is one of a few words of ours, or
the name of a relay or an operator, of which there are no more than ``metrics.hosts``; never an address or a text of somebody else's:
each value is a time series that the other side keeps.
"""
