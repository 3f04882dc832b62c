"""DKIM: a domain answers for a message by signing it, and anybody can check that (RFC 6376).

What the standard says, in ten lines. The signer takes the fields of the header that he names (``h=``) and the body, brings
both into a canonical form (``c=``), which blanks and folds that mail systems change on the way do not touch, and
hashes them (``bh=`` is the body). He signs the hash with a private key (``b=``) and puts all this into a field
DKIM-Signature above the message. The public key is in the DNS, at ``SELECTOR._domainkey.DOMAIN`` (``s=`` and ``d=``), as
a TXT record: a domain may have many keys, and replaces one by publishing another beside it. Two kinds are
used: RSA with SHA-256, of 1024 to 4096 bits (RFC 8301), and Ed25519 (RFC 8463), which many do not know yet, so that
mail gets a signature of each. A receiver believes the From field if the domain that signed it is the same, or is
part of the same organisation: that is DMARC (RFC 7489 §3.1), and the reason why the key is chosen by the From field.

===========  =======================================  ==========
`canonical`  canonical forms, lists of tags           both sides
`key`        private keys, public keys, the record    both sides
`sign`       whose key signs, and the signature       signer
`verify`     which signatures hold, and why not       verifier
===========  =======================================  ==========

Nothing here reads a file, asks the DNS or looks at a clock. `cryptography` is imported by `key` alone, and by it only
when there is a key.
"""
