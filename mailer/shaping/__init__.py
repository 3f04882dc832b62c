"""Shaping: how many sessions a destination gets, how fast, from which address, and what its replies change about that.

=========  =====================================================================================
`table`    the terms of each destination: limits, rates, retries, and where each is from
`sources`  our addresses and their warm-up
`replies`  what refusals mean, and what they lead to
`blame`    what of ours was refused, and what mends it
=========  =====================================================================================
"""
