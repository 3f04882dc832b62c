"""Figures of the daemon for a monitoring system that comes and fetches them, in the format of Prometheus.

`counts` is told of events and counts; `page` makes of that, and of what the scheduler and the invariants know, what is read; `readers`
hands it out over HTTP; `exporter` opens and closes the port. The library prometheus-client, which writes the format, is imported by
`page` alone, and `page` only when ``metrics.listen`` is set: where no figures are wanted, no library is needed, and they cost nothing.

Names follow the conventions of Prometheus: a prefix, base units, ``_total`` for what only grows. A label is one of a few words of ours,
never an address, a domain or a text of somebody else's: each value is a time series that the other side keeps.
"""
