"""Whether mail that leaves here would be believed: what the world can see of a domain and of this host, and what to publish.

A receiver knows little of who calls: an address, the name it gives itself, and what the DNS says of both and of the
domain in the From field. So the same is looked at here, with the receiver's eyes:

==============  ================================================================  =====================
MX              whether answers and reports can come back                         RFC 5321 §5.1
SPF             whether the domain lets this address send                         RFC 7208
DKIM            whether the key that signs is the one that is published           RFC 6376 §3.6
DMARC           what the domain wants done with mail that proves neither          RFC 9989 §4
PTR             whether the address has a name, the name the address, and         RFC 1912 §2.1
                whether it is the name that is said in EHLO
blocklists      whether others have had trouble with the address                  RFC 5782
MTA-STS         whether those who write to the domain may insist on TLS           RFC 8461
TLSRPT          whether they tell when they cannot                                RFC 8460
port 25         whether this host can reach anybody at all                        RFC 5321 §4.5.4.2
clock           whether signatures carry the true time                            RFC 6376 §3.5
==============  ================================================================  =====================

`rules` is pure, turns answers into findings and is what has to be right. The files beside it look things up, and never fail: what nobody
could tell is an answer too (`DnsRecords.trouble`), and never counts against a domain more than a warning.

===========  ========================================================================================
`examine`    all checks at once, and the addresses that mail comes from
`domain`     the look-ups about a sending domain
`host`       those about this host
`outside`    what hosts of others say: port 25, a web server with a policy, a time server
`lookups`    questions to the DNS, each asked once, until one deadline
`finding`    what the DNS answered, and what is found: one line of the report
`situation`  how mail leaves here: directly, through relays, from where; the providers that are known
===========  ========================================================================================

The organisational domain is found by the tree walk of RFC 9989 §4.10, not by a list of public suffixes: the walk is what the
standard says now, it asks the DNS that is asked anyway, and no list grows old in an installed program. For what is
signed here the two cannot differ: the domain that signs is that of the author, or is above it and ours.
"""
