"""Aggregate reports: what other hosts say, a day at a time, of mail from our domains (DMARC) and of TLS on the way to them (TLSRPT).

Two standards, one shape: a host that receives mail counts what it has seen, and once a day mails the sums to the address that the domain
names in the DNS (``rua=``). The sums come as one document in an attachment, nearly always compressed.

=======  ==============================================  ==========================================  ===========================
report   document                                        attached as                                 says
=======  ==============================================  ==========================================  ===========================
DMARC    XML, RFC 7489 Appendix C, RFC 9990 Appendix A   ``.xml``, ``.xml.gz``, or in a ``.zip``     who sent in our name, and
                                                                                                     whether SPF and DKIM agreed
TLSRPT   JSON (I-JSON), RFC 8460 §4                      ``application/tlsrpt+json`` or ``+gzip``,   whether other hosts reached
                                                         in a ``multipart/report``                   ours by TLS, and what failed
=======  ==============================================  ==========================================  ===========================

`finding`  which parts of a message hold such a document, and what they say: `read`
`unpacking`  gzip and ZIP, within bounds
`dmarc`  the XML of a DMARC report
`tlsrpt`  the JSON of a TLS report
`summary`  the values that come of them: sums, nothing of single messages

Everything in here is pure and bounded, for anybody may write to the address: a document has at most `unpacking.MOST` octets, it is read
in pieces, and no more than `summary.MOST_ROWS` different sums are kept of it, with all others in one of their own. What cannot be read
raises `summary.BadReport`; a single row that says nothing usable is left out and counted. Nothing here says that a report is true:
neither standard signs one, and whoever knows the address can write that he is somebody else.
"""
