"""Scripts, one for each thing that a script can say or say wrongly, and what Pigeonhole makes of them (``pigeonhole.json``).

    python -m tests.sieve.cases     asks it again, and writes the file

Those of which we make something else are in `tests.sieve.otherwise`, each with its reason.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from .letters import LETTER
from .pigeonhole import Pigeonhole, Story

ALL = (
    'require ["fileinto", "envelope", "encoded-character", "copy", "body", "variables", "vacation", "vacation-seconds", "relational", '
    '"imap4flags", "subaddress", "date", "index", "environment", "mailbox", "special-use", "comparator-i;ascii-numeric"];\n'
)

TESTS = r"""
true
false
not true
not not true
anyof (false, false, true)
anyof (false, not true)
allof (true, true)
allof (true, not true, true)
allof (anyof (false, true), not allof (true, false), anyof (allof (true, true)))
size :over 10
size :over 10K
size :under 1M
size :under 10
exists "subject"
exists ["subject", "SUBJECT", "to"]
exists ["subject", "nothing"]
exists "x-empty"
header "subject" "Your *order* no. 42 is ready"
header :is "Subject" "your *ORDER* no. 42 is ready"
header :is :comparator "i;octet" "subject" "your *ORDER* no. 42 is ready"
header :is :comparator "i;octet" "subject" "Your *order* no. 42 is ready"
header :contains "subject" "order"
header :contains "subject" ["nothing", "NO. 42"]
header :contains :comparator "i;octet" "subject" "NO. 42"
header :contains "subject" ""
header :contains "nothing" ""
header :is "nothing" ""
header :is "x-empty" ""
header :contains "x-empty" ""
header :matches "x-empty" "*"
header :matches "x-empty" "?"
header :matches "nothing" "*"
header :is "x-folded" "a  b c"
header :is "x-words" "café noir ok"
header :matches "x-words" "caf* n?ir ok"
header :is "x-many" "two"
header :is ["nothing", "x-many"] ["four", "three"]
header :matches "subject" "*\\*order\\**"
header :matches "subject" "your ?order? *"
header :matches "subject" "Y*r*r* no. ?? *y"
header :matches "subject" "your"
header :matches "subject" "*"
header :matches "subject" "*?*?*?*?*?*"
header :matches "subject" "**ready"
header :matches "subject" "ready*"
header :matches :comparator "i;octet" "subject" "YOUR*"
header :matches "subject" "YOUR*"
header :matches "x-many" ""
header :matches "x-many" "t\\wo"
header :index 1 "x-many" "one"
header :index 2 "x-many" "one"
header :index 1 :last "x-many" "three"
header :last :index 3 "x-many" "one"
header :index 4 "x-many" "three"
header :index 2 ["subject", "x-many"] "one"
header :index 1 :count "eq" ["x-many", "subject"] "1"
header :index 1 :count "eq" "subject" "1"
address :index 2 ["to", "cc"] "rene@z.example"
address :detail :count "eq" "to" "3"
envelope :detail :count "eq" "from" "1"
string :matches "a" "*?*"
string :matches "ab" "*?*"
header :count "ge" :comparator "i;ascii-numeric" "x-many" "3"
header :count "eq" :comparator "i;ascii-numeric" ["x-many", "subject", "nothing"] "4"
header :count "gt" "x-many" "2"
header :count "lt" "x-many" "10"
header :count "eq" "nothing" "0"
header :value "gt" :comparator "i;ascii-numeric" "x-spam-score" "5"
header :value "ge" :comparator "i;ascii-numeric" "x-spam-score" "7"
header :value "gt" :comparator "i;ascii-numeric" "x-spam-score" "7.9"
header :value "lt" :comparator "i;ascii-numeric" "x-spam-score" "10"
header :value "le" :comparator "i;ascii-numeric" "subject" "10"
header :value "eq" :comparator "i;ascii-numeric" "subject" "also no number"
header :value "ne" :comparator "i;ascii-numeric" "x-spam-score" "007"
header :is :comparator "i;ascii-numeric" "x-spam-score" "07"
header :value "lt" "x-many" "P"
header :value "gt" "x-many" "P"
header :value "lt" :comparator "i;octet" "x-many" "P"
header :value "eq" "x-many" "TWO"
header :value "ne" "x-many" "TWO"
address "from" "ann@b.example"
address :all "from" "ANN@B.EXAMPLE"
address :all :comparator "i;octet" "from" "ann@b.example"
address :is "to" "list@l.example"
address :localpart "to" "me+shop"
address :localpart "to" "q r"
address :user "to" "me"
address :detail "to" "shop"
address :detail "to" ""
address :detail "from" "*"
address :user "from" "ann"
address :domain "to" ["x.example", "L.example"]
address :domain :contains "to" "example"
address :domain :matches "to" "?.example"
address :index 2 :localpart "to" "list"
address :index 1 :localpart "to" "list"
address :index 1 :last "to" "list@l.example"
address :count "eq" :comparator "i;ascii-numeric" "to" "3"
address :count "eq" :comparator "i;ascii-numeric" ["to", "cc"] "4"
address "return-path" "ann@b.example"
address ["sender", "reply-to"] "ann@b.example"
envelope "from" "ann@b.example"
envelope :domain "from" "b.example"
envelope :localpart "to" "me+det"
envelope :user "to" "me"
envelope :detail "to" "det"
envelope :detail "from" ""
envelope ["from", "to"] "me+det@a.example"
envelope :contains "FROM" "B.ex"
envelope :count "eq" :comparator "i;ascii-numeric" ["from", "to"] "2"
body :contains "hell"
body :is "hello\r\n"
body :text :matches "h*"
body :raw :contains "hello"
body :content "text" :contains "HELLO"
body :content "text/plain" :contains "hello"
body :content "text/html" :contains "hello"
body :content ["image", ""] :contains "hello"
body :contains "nothing"
date "date" "year" "2026"
date :zone "+0000" "date" "hour" "10"
date :zone "+0530" "date" "time" "15:30:00"
date :zone "-1200" "date" "date" "2026-11-30"
date :originalzone "date" "hour" "12"
date :originalzone "date" "zone" "+0200"
date :originalzone "date" "iso8601" "2026-12-01T12:00:00+02:00"
date :zone "+0000" "date" "std11" "Tue, 01 Dec 2026 10:00:00 +0000"
date :zone "+0000" "date" "julian" "61375"
date :zone "+0000" "date" "weekday" "2"
date :zone "+0000" "date" ["month"] "12"
date :zone "+0000" "date" "day" "01"
date :zone "+0000" "date" "minute" "00"
date :zone "+0000" "date" "second" "00"
date "date" "hour" "10"
date :originalzone "received" "date" "2025-12-02"
date :index 1 "received" "year" "2025"
date :value "ge" :comparator "i;ascii-numeric" :zone "+0000" "date" "year" "2020"
date :matches :zone "+0000" "date" "date" "2026-*"
date "subject" "year" "2026"
date "nothing" "year" "2026"
currentdate :value "ge" "date" "2020-01-01"
currentdate :zone "+0100" "zone" "+0100"
currentdate :matches "iso8601" "????-??-??T??:??:??Z"
date :zone "+0000" "date" "iso8601" "2026-12-01T10:00:00Z"
date :zone "+0000" "date" "iso8601" "2026-12-01T10:00:00+00:00"
date :zone "-0330" "date" "iso8601" "2026-12-01T06:30:00-03:30"
string "a" "A"
string "a" "a"
string :comparator "i;ascii-casemap" "a" "A"
string :comparator "i;octet" "a" "A"
string :matches "abc" "?b*"
string :contains ["xyz", "abc"] ["q", "b"]
string :count "eq" :comparator "i;ascii-numeric" ["a", "", "b"] "2"
hasflag "\\Seen"
environment "nothing-of-the-kind" "*"
specialuse_exists "\\Junk"
specialuse_exists "INBOX" "\\Junk"
""".strip().splitlines()
"""Tests, each on one line."""

BODIES = r"""
keep;
discard;
discard; keep;
stop; discard;
if true { stop; } discard;
if false { discard; } elsif true { fileinto "B"; } else { fileinto "C"; }
if true { discard; } elsif true { fileinto "B"; } else { fileinto "C"; }
if false { discard; } elsif false { fileinto "B"; } else { fileinto "C"; }
if false { discard; } if true { fileinto "A"; }
if true { if false { discard; } } elsif true { fileinto "B"; } else { fileinto "C"; }
if true { if true { if true { fileinto "D"; } } fileinto "E"; } fileinto "F";
if true {} keep;
fileinto "A"; fileinto "A"; fileinto "B";
fileinto :flags "a" "A"; fileinto "A"; fileinto :flags "b" "B"; fileinto :flags "c" "B";
fileinto :copy "A"; fileinto "A";
fileinto "A"; fileinto :copy "A";
set "v" "a"; set "v" "${v}"; fileinto "n${v}";
fileinto "INBOX"; keep;
keep; fileinto "INBOX";
fileinto :copy "A";
fileinto :copy :create "A/B";
fileinto :create "A"; fileinto "A";
fileinto "A"; discard;
fileinto :specialuse "\\Junk" "A";
redirect "x@y.example";
redirect :copy "x@y.example";
redirect "x@y.example"; keep;
redirect "x@y.example"; redirect "x@Y.example"; redirect "X@y.example";
redirect "a@y.example"; redirect "b@y.example"; redirect "c@y.example"; redirect "d@y.example";
redirect "a@y.example"; redirect "b@y.example"; redirect "c@y.example"; redirect "d@y.example"; redirect "e@y.example";
setflag "\\Seen"; keep;
setflag "\\Seen";
setflag ["\\seen \\Flagged", "Work"]; fileinto "A"; setflag "other"; fileinto "B";
addflag "a"; addflag "A"; addflag ["b c", "d"]; removeflag "C"; keep;
setflag "a"; setflag ""; keep;
removeflag "a"; keep;
setflag "\\Nonsense good \\Recent"; keep;
setflag "x"; keep :flags "y";
keep :flags ["\\Answered", "a b"];
setflag "v" "a b"; addflag "v" "C"; keep :flags "${v}";
setflag "v" "a b"; removeflag "v" "b"; fileinto :flags "${v}" "F";
setflag "\\Seen"; if hasflag "\\SEEN" { discard; }
setflag "\\Seen"; if hasflag ["a", "\\seen b"] { discard; }
setflag "hello world"; if hasflag :contains "orl" { discard; }
setflag "hello world"; if hasflag :matches "h*o" { discard; }
setflag "hello world"; if hasflag :count "eq" :comparator "i;ascii-numeric" "2" { discard; }
setflag "v" "hello"; if hasflag "v" "hello" { discard; }
setflag "v" "hello"; if hasflag ["w", "v"] "hello" { discard; }
setflag "v" "hello"; if hasflag "hello" { discard; }
set "a" "x"; fileinto "${a}";
set "A" "x"; fileinto "f-${a}-${A}-${b}";
set "a" "x"; set "b" "${a}${a}"; set "a" "y"; fileinto "${b}";
set :upper "a" "hello"; fileinto "${a}";
set :lower "a" "HELLO"; fileinto "${a}";
set :upperfirst "a" "hello"; fileinto "${a}";
set :lowerfirst "a" "HELLO"; fileinto "${a}";
set :upperfirst :lower "a" "hELLO"; fileinto "${a}";
set :length "a" "hello"; fileinto "${a}";
set :length :upper "a" "hello"; fileinto "${a}";
set :length "a" ""; fileinto "n${a}";
set :quotewildcard "a" "a*b?c\\d"; if string :is "${a}" "a\\*b\\?c\\\\d" { discard; }
set "a" "Your"; if header :matches "subject" "${a}*" { discard; }
set "a" "subject"; if header :contains "${a}" "order" { discard; }
if header :matches "subject" "*\\*?rder\\* no. * is *" { fileinto "[${1}][${2}][${3}][${4}][${5}]"; }
if header :matches "subject" "* no. *" { fileinto "${0}|${1}|${2}|${9}"; }
if header :matches "subject" "*o*" { fileinto "${1}|${2}"; }
if header :matches "x-many" "t*" { fileinto "${1}"; }
if header :matches "x-many" ["z*", "*o", "*"] { fileinto "${0}-${1}"; }
if header :matches "subject" "Your*" { if header :matches "subject" "nothing*" { stop; } fileinto "m${0}"; }
if header :matches "subject" "Your*" { if header :is "x-many" "one" { fileinto "m${0}"; } }
if address :matches :domain "from" "*.example" { fileinto "${1}"; }
if envelope :matches "to" "*@*" { fileinto "${1} at ${2}"; }
if header :matches "subject" "*" { set "a" "${1}"; } if string :matches "${a}" "Your*" { fileinto "s${1}"; }
if string :matches "abcabc" "*b?*c" { fileinto "${0}|${1}|${2}|${3}|${4}"; }
if string :matches "aaab" "*ab" { fileinto "${1}"; }
if string :matches "abc" ["z", "**"] { fileinto "${1}-${2}."; }
if string :matches "abc" "?*" { fileinto "${1}-${2}."; }
if string :matches "a.b.c" "*.*" { fileinto "${1}-${2}."; }
if string :matches "a.b.c" "?.?.?" { fileinto "${1}${2}${3}"; }
if header :matches :comparator "i;octet" "subject" "Y*" { fileinto "o${1}"; }
fileinto "${hex:41}${unicode:e9 42}";
fileinto "$${hex:7b}a}";
set "a" "x"; fileinto "$${hex:7b}a}";
fileinto "${hex:4 }${HEX: 42}${unicode:00000043}";
fileinto "${hex:zz}${unicode:}${hex41}";
fileinto "${hex:111}";
fileinto "${unicode:200000}";
fileinto "${unicode:d800}";
fileinto "${a b} ${ a } $ { ${} $a {a}";
fileinto "a${0}b${00}c${12}d";
vacation "I am away.";
vacation :days 3 :subject "Away" "I am away.";
vacation :days 0 "x";
vacation :days 365 "x";
vacation :seconds 7200 "x";
vacation :seconds 1 "x";
vacation :from "me@a.example" :addresses ["me@a.example", "you@a.example"] :handle "h" "x";
vacation :mime "Content-Type: text/plain\r\n\r\nx"; fileinto "A";
vacation "x"; discard;
vacation "x"; vacation "y";
if header :matches "subject" "Your * no*" { vacation :subject "Re: ${1}" "x"; }
fileinto text:
A
.
; keep;

vacation text: # away
.. two dots
a line
.
;

set "t" text:
.. x
.
; if string :is "${t}" ". x\r\n" { discard; }

set "t" "a\"b\\c\d"; if string :is "${t}" "a\"b\\cd" { discard; }
/* a comment */ keep; # another
/**/ /***/ /* * / */ discard;
KEEP; IF TRUE { Discard; }
if size :OVER 1k { discard; }
if header :contains "subject" "${hex:6f}rder" { discard; }
if mailboxexists "INBOX" { keep; }
"""

WRONG = r"""
frob;
if frob { keep; }
keep
keep keep;
keep; }
{ keep; }
if true { keep;
if true keep;
if { keep; }
if true, false { keep; }
if not true, false { keep; }
if not { keep; }
if anyof true { keep; }
if anyof () { keep; }
if anyof (true { keep; }
if anyof (true,) { keep; }
if (true) { keep; }
if true true { keep; }
keep true;
keep { stop; }
keep "x";
keep 3;
stop "x";
discard :copy;
elsif true { keep; }
else { keep; }
if true { keep; } else { keep; } else { keep; }
if true { keep; } keep; else { keep; }
if true { keep; } else true { keep; }
if header "subject" { keep; }
if header "a" "b" "c" { keep; }
if header 3 "b" { keep; }
if header :is :contains "a" "b" { keep; }
if header :comparator "i;nothing" "a" "b" { keep; }
if header :comparator "a" "b" { keep; }
if header :comparator ["i;octet"] "a" "b" { keep; }
if header :frob "a" "b" { keep; }
if header "a" :is "b" { keep; }
if header :contains :comparator "i;ascii-numeric" "a" "b" { keep; }
if header :matches :comparator "i;ascii-numeric" "a" "b" { keep; }
if header :count "a" "b" { keep; }
if header :value "lq" "a" "b" { keep; }
if header :index "a" "b" { keep; }
if header :index 0 "a" "b" { keep; }
if header :last "a" "b" { keep; }
if header ["a" "b"] "c" { keep; }
if header ["a", 3] "c" { keep; }
if header ["a",] "c" { keep; }
if header [] "c" { keep; }
if address "subject" "a" { keep; }
if address :all :domain "from" "a" { keep; }
if envelope "nothing" "a" { keep; }
if size 3 { keep; }
if size :over { keep; }
if size :over "3" { keep; }
if size :over :under 3 { keep; }
if size :over 3 4 { keep; }
if exists 3 { keep; }
if hasflag 3 { keep; }
fileinto;
fileinto 3;
fileinto ["a", "b"];
fileinto "a" "b";
fileinto "a" :copy;
fileinto :flags "a";
fileinto :flags 3 "a";
redirect "nobody";
redirect "a@b@c.example";
redirect "";
redirect ["a@b.example"];
vacation;
vacation :days "3" "x";
vacation :days 3 :seconds 4 "x";
vacation :from "nobody" "x";
set "a.b" "x";
set "1" "x";
set "a-b" "x";
set "" "x";
set "${a}" "x";
set :upper :lower "a" "x";
set "a";
setflag;
setflag ["a", "b"] "c";
fileinto "${a.b}";
if string "a" { keep; }
"a";
3;
:is;
[ "a" ];
keep; "unclosed
keep; /* unclosed
keep; text: is a text

fileinto text:
no end

keep \;
keep @;
10K;
if size :over 99999999999999999999 { keep; }
if true { require "fileinto"; }
""".strip()

RAW = (
    "",
    "# nothing but a comment",
    "\r\n\r\nkeep;\r\n",
    'require "fileinto"; fileinto "A";',
    'require ["fileinto", "fileinto"]; require "copy"; fileinto :copy "A";',
    'require ["comparator-i;octet", "comparator-i;ascii-casemap"]; keep;',
    'keep; require "fileinto";',
    'require "nonsense";',
    "require 3;",
    'require "fileinto" "copy";',
    'fileinto "A";',
    'require "fileinto"; fileinto :copy "A";',
    'require "fileinto"; fileinto :flags "x" "A";',
    'require "fileinto"; fileinto :create "A";',
    'if envelope "from" "a" { keep; }',
    'if header :count "ge" "a" "1" { keep; }',
    'if header :comparator "i;ascii-numeric" "a" "1" { keep; }',
    'if address :user "from" "a" { keep; }',
    'if header :index 1 "a" "1" { keep; }',
    'if body :contains "a" { keep; }',
    'if date "date" "year" "2026" { keep; }',
    'if string "a" "b" { keep; }',
    'set "a" "b";',
    'setflag "a";',
    'require "imap4flags"; setflag "v" "a";',
    'vacation "x";',
    'require "vacation"; vacation :seconds 3 "x";',
    'if mailboxexists "a" { keep; }',
    'require "fileinto"; fileinto "${hex:41}${a}";',
    'require ["fileinto", "encoded-character"]; fileinto "${hex:41}${a}";',
    'require ["fileinto", "variables"]; fileinto "${hex:41}${a}";',
)


def _apart(text: str) -> list[str]:
    """The scripts in `text`, a line each; those that have texts of several lines have a blank line behind them."""
    found: list[str] = []
    for line in text.strip().splitlines():
        if found and "text:" in found[-1] and not found[-1].endswith("\n"):
            found[-1] += f"\n{line}"
        elif line:
            found.append(line)
    return [script.rstrip("\n") for script in found]


def scripts() -> list[str]:
    """All scripts."""
    return [
        *(f"{ALL}if {test} {{ discard; }}" for test in TESTS),
        *(f"{ALL}{body}" for body in _apart(BODIES)),
        *(f"{ALL}{body}" for body in _apart(WRONG)),
        *RAW,
    ]


PLACE = Path(__file__).with_suffix("").with_name("pigeonhole.json")


def recorded() -> dict[str, Story]:
    """What Pigeonhole made of them."""
    return {script: [tuple(tuple(each) if isinstance(each, list) else each for each in action) for action in found]
            for script, found in json.loads(PLACE.read_text()).items()}  # fmt: skip


def asked() -> dict[str, Story]:
    """What Pigeonhole makes of them now."""
    with tempfile.TemporaryDirectory() as home:
        pigeonhole = Pigeonhole(Path(home))
        return {script: pigeonhole.ask(script, LETTER) for script in scripts()}


if __name__ == "__main__":
    PLACE.write_text(json.dumps(asked(), indent=1, ensure_ascii=False) + "\n")
