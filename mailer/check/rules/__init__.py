"""From answers to findings, by pure functions.

==========  ====================================================================
`mx`        MX hosts
`spf`       SPF, of domains and of the name in EHLO
`dkim`      the keys that sign
`dmarc`     DMARC, by the tree walk
`mta_sts`   MTA-STS and TLSRPT
`host`      addresses that receivers see, port 25, the clock
`inbound`   mail that comes to a domain of ours
`services`  where programs of its users find the doors
`address`   the name of an address, and the blocklists
==========  ====================================================================
"""
