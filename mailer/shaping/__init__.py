"""Shaping: how many sessions a destination gets, how fast, from which address, and what its replies change about that."""
