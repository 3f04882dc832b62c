"""Routing: from the domain of a recipient to the hosts that take its mail (RFC 5321 §5), by the configuration and the DNS."""
