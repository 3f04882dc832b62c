"""What mail proves of its sender: rules that are pure, and take the answers of the DNS as arguments.

A message names its author in From, and anybody can write that. What speaks for it: the network says from which address it came (SPF,
RFC 7208, judges that by the domain of the reverse-path), a signature says which domain answers for it (DKIM, RFC 6376), DMARC (RFC 9989)
says whether one of the two belongs to the author and what his domain wants done where none does, and a chain of seals (ARC, RFC 8617) says
what the hosts before us saw. What was found stands in a field on top, Authentication-Results (RFC 8601), which only we may write.

`records`      what the rules ask of the DNS, and what it answers
`results`      Authentication-Results: written, read, cut out
`author`       whom From names, if that is one
`arc`          ARC: a chain of seals verified, and a seal of ours
`dmarc`        DMARC: the policy of a domain, and what proves its mail
`spf`          SPF: whether an address may send for a domain
`spf_record`   an SPF record, read
`spf_macro`    the macros in it
`blocklist`    what DNS blocklists are asked, and what their answers mean
`iprev`        the name of a client
"""

from __future__ import annotations
