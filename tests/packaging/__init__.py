"""Packages and what they do to a machine, tried in machines that are thrown away."""
