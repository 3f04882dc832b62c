"""How programs of users find the doors of this machine: what a person would have to type, for the programs that can ask.

`services`     the doors that users have, as their programs have to call them
`records`      SRV records of the DNS, RFC 6186 and RFC 8314 §5.1
`thunderbird`  the file that Thunderbird and many others look for at ``autoconfig.DOMAIN``
`outlook`      what Outlook asks for at ``autodiscover.DOMAIN``
`apple`        a profile that an iPhone or a Mac installs
`signed`       that, signed by the certificate of a door

Nothing here tells whether a user is there: all names of a domain of ours have the same answer. What a stranger says, an address, is
written in no form that he could break out of.
"""

from __future__ import annotations
