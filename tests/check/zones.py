"""The DNS of a small world: each domain in it is a state that a check can find.

``broken.example`` and the addresses of 203.0.113.0/24 are in zones that the server cannot load (SERVFAIL); ``lame.example`` is
delegated to a server that nobody asks here; whatever is not written down does not exist.
"""

from __future__ import annotations

from ipaddress import ip_address

HOME, HOME6 = "198.51.100.10", "2001:db8::10"  # where a good host is
LISTED = "198.51.100.66"


def ptr(address: str, name: str) -> str:
    return f"{ip_address(address).reverse_pointer}. IN PTR {name}.\n"


WORLD = f"""
mail.good.example. IN A {HOME}
mail.good.example. IN AAAA {HOME6}
mail.good.example. IN TXT "v=spf1 a -all"

good.example. IN MX 10 mail.good.example.
good.example. IN TXT "some-verification=1"
good.example. IN TXT "v=spf1 ip4:{HOME} ip6:{HOME6} -all"
_dmarc.good.example. IN TXT "v=DMARC1; p=reject; rua=mailto:d@good.example"

nomx.example. IN A {HOME}
nothing.example. IN TXT "nothing to see"
nullmx.example. IN MX 0 .
noaddress.example. IN MX 10 ghost.noaddress.example.
hidden.example. IN MX 10 inside.hidden.example.
inside.hidden.example. IN A 10.0.0.1
alias.example. IN MX 10 www.alias.example.
www.alias.example. IN CNAME mail.good.example.
halfbroken.example. IN MX 10 mail.broken.example.
lame.example. IN NS ns.elsewhere.example.

fail.example. IN TXT "v=spf1 ip4:192.0.2.1 -all"
softfail.example. IN TXT "v=spf1 ip4:192.0.2.1 ~all"
neutral.example. IN TXT "v=spf1 ip4:192.0.2.1"
two.example. IN TXT "v=spf1 ip4:192.0.2.1 -all"
two.example. IN TXT "v=spf1 ip4:192.0.2.2 -all"
wrong.example. IN TXT "v=spf1 ipv4:192.0.2.1 -all"
open.example. IN TXT "v=spf1 +all"
long.example. IN TXT "v=spf1 " "ip4:192.0.2.1 ip4:198" ".51.100.10 -all"
included.example. IN TXT "v=spf1 include:good.example -all"
redirected.example. IN TXT "v=spf1 redirect=good.example"
bymx.example. IN MX 10 mail.good.example.
bymx.example. IN TXT "v=spf1 mx -all"
trouble.example. IN TXT "v=spf1 include:broken.example -all"
loop.example. IN TXT "v=spf1 include:loop2.example -all"
loop2.example. IN TXT "v=spf1 include:loop.example -all"
ten.example. IN TXT "v=spf1 {" ".join(f"a:a{n}.ten.example" for n in range(9))} a:mail.good.example -all"
{"".join(f"a{n}.ten.example. IN A 192.0.2.{n}" + chr(10) for n in range(12))}
eleven.example. IN TXT "v=spf1 {" ".join(f"a:a{n}.ten.example" for n in range(10))} a:mail.good.example -all"
void.example. IN TXT "v=spf1 a:x.void.example a:y.void.example a:z.void.example ip4:{HOME} -all"
byname.example. IN TXT "v=spf1 exists:%{{ir}}.%{{v}}.%{{d}} -all"
10.100.51.198.in-addr.byname.example. IN A 127.0.0.2
spfcname.example. IN TXT "v=spf1 include:spf.spfcname.example -all"
spf.spfcname.example. IN CNAME good.example.
gmailed.example. IN TXT "v=spf1 include:_spf.google.com ~all"
smart.example. IN TXT "v=spf1 a:smtp.smart.example -all"
smtp.smart.example. IN A 198.51.100.25
smtp.elsewhere.example. IN A 198.51.100.26

_dmarc.several.example. IN TXT "v=DMARC1; p=none; rua=mailto:a@several.example"
_dmarc.several.example. IN TXT "v=DMARC1; p=reject; rua=mailto:a@several.example"
_dmarc.word.example. IN TXT "v=DMARC1; p=monitor; rua=mailto:a@word.example"
_dmarc.silent.example. IN TXT "v=DMARC1; p=none"
_dmarc.strict.example. IN TXT "v=DMARC1; p=reject; adkim=s; rua=mailto:a@strict.example"
_dmarc.sub.example. IN TXT "v=DMARC1; p=reject; sp=none; rua=mailto:a@sub.example"
_dmarc.told.example. IN TXT "v=DMARC1; p=none; rua=mailto:a@told.example, mailto:b@reports.example!10m, mailto:c@deaf.example"
told.example._report._dmarc.reports.example. IN TXT "v=DMARC1;"
_dmarc.suffix.example. IN TXT "v=DMARC1; psd=y; p=none; rua=mailto:a@suffix.example"

mail.other.example. IN A 198.51.100.21
{ptr(HOME, "mail.good.example")}{ptr(HOME6, "mail.good.example")}
{ptr("198.51.100.21", "mail.other.example")}{ptr("198.51.100.22", "mail.good.example")}{ptr("198.51.100.23", "nowhere.example")}
{ptr("198.51.100.24", "host-198-51-100-24.isp.example")}
host-198-51-100-24.isp.example. IN A 198.51.100.24
{ptr("198.51.100.27", "mail.broken.example")}

2.0.0.127.bl.example. IN A 127.0.0.2
66.100.51.198.bl.example. IN A 127.0.0.4
66.100.51.198.bl.example. IN TXT "seen sending to a trap"
*.refusing.example. IN A 127.255.255.254
*.sayer.example. IN A 127.0.0.2
*.parked.example. IN A 192.0.2.80

_mta-sts.tls.example. IN TXT "v=STSv1; id=20261121"
mta-sts.tls.example. IN A 127.0.0.1
tls.example. IN MX 10 mx.tls.example.
mx.tls.example. IN A {HOME}
_smtp._tls.tls.example. IN TXT "v=TLSRPTv1; rua=mailto:t@tls.example"
_mta-sts.nopolicy.example. IN TXT "v=STSv1; id=1"
_mta-sts.noid.example. IN TXT "v=STSv1;"
_mta-sts.twice.example. IN TXT "v=STSv1; id=1"
_mta-sts.twice.example. IN TXT "v=STSv1; id=2"
_smtp._tls.twice.example. IN TXT "v=TLSRPTv1; rua=mailto:a@twice.example"
_smtp._tls.twice.example. IN TXT "v=TLSRPTv1; rua=mailto:b@twice.example"
_smtp._tls.noid.example. IN TXT "v=TLSRPTv1; rua=a@noid.example"
_mta-sts.inside.example. IN TXT "v=STSv1; id=1"
mta-sts.inside.example. IN A 10.0.0.1

escapes.example. IN TXT "v=spf1 \027[31mred -all"
escapes.example. IN MX 10 a\027[31m.escapes.example.
both.example. IN MX 10 mx.both.example.
mx.both.example. IN A 127.0.0.1
mx.both.example. IN AAAA ::1
big.example. IN MX 10 mx.big.example.
mx.big.example. IN A 127.0.0.1
silent.big.example. IN MX 10 mx.silent.big.example.
mx.silent.big.example. IN A 10.0.0.1
time.example. IN A 127.0.0.1
"""

ZONES = {".": WORLD, "broken.example": "", "113.0.203.in-addr.arpa": ""}
