"""Routing: from the domain of a recipient to the hosts that take its mail, RFC 5321 §5.

===========  ==============================================================================================
`table`      which rule of the configuration holds, and so which ways out there are
`mx`         what one way out leads to: the MX hosts of the domain, or a relay, at addresses that may be called
`resolve`    both together, on the terms of the configuration: the `Route`, remembered for a while
`sandbox`    whose mail goes another way than its address says
===========  ==============================================================================================
"""
