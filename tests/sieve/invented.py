"""Scripts and messages that nobody wrote, for our interpreter and another: strategies of hypothesis.

The words are few, so that values and keys often fit. What we do otherwise on purpose (`tests.sieve.otherwise.OTHERWISE`) is not made.
"""

from __future__ import annotations

from hypothesis import strategies as st

from .cases import ALL
from .letters import letter

WORDS = ("a", "A", "ab", "b", "aab", "12", "007", "3", "", "x y", "a*b", "a?b", "é", "ÀB", "-", "a.b")
PATTERNS = ("*", "a*", "*b", "?", "??", "*a*b*", "\\\\*", "a\\\\?b", "a?*", "", "**", "é*", "a*b*")
FIELDS = ("subject", "x-one", "x-two", "nothing")
PEOPLE = ("ann@a.example", "Bob Example <bob+x@b.example>", '"q r"@c.example', "<ab@a.b.example>", "=?utf-8?q?=C3=A9?= <e+@d.example>")
ADDRESSED = ("from", "to", "cc")
FOLDERS = ("A", "B/C", "INBOX", "é")
COPIES = ("Copy", "C/${v}")
FLAGS = ("\\\\Seen", "a", "A b", "\\\\Flagged c", "\\\\Nonsense")
COMPARATORS = ("", ':comparator "i;octet" ', ':comparator "i;ascii-casemap" ')
RELATIONS = ("gt", "ge", "lt", "le", "eq", "ne")
ZONES = ("+0000", "-0330", "+1345")
DATES = ("year", "month", "day", "date", "julian", "hour", "minute", "second", "time", "iso8601", "std11", "zone", "weekday")


def quoted(text: str) -> str:
    """A string of a script whose backslashes are there already."""
    return f'"{text}"'


def listed(words: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """One string, or a list."""
    many = st.lists(words.map(quoted), min_size=1, max_size=3).map(lambda found: f"[{', '.join(found)}]")
    return words.map(quoted) | many


words = st.sampled_from(WORDS)
numeric = ':comparator "i;ascii-numeric" '
plain_match = st.tuples(st.sampled_from((":is ", ":contains ", "")), st.sampled_from(COMPARATORS)).map("".join)
value_match = st.tuples(st.sampled_from(RELATIONS), st.sampled_from((*COMPARATORS, numeric))).map(
    lambda each: f':value "{each[0]}" {each[1]}'
)
count_match = st.sampled_from(RELATIONS).map(lambda relation: f':count "{relation}" {numeric}')
variable = st.sampled_from(("${v}", "${w}", "${0}", "${1}", "${2}", "a${1}b"))


def compared(keys: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, str]]:
    """A match type, and keys for it."""
    return st.one_of(
        st.tuples(plain_match | value_match, listed(keys | words | variable)),
        st.tuples(st.sampled_from((":matches ", ':matches :comparator "i;octet" ')), listed(st.sampled_from(PATTERNS) | keys)),
        st.tuples(count_match, listed(st.sampled_from(("0", "1", "2", "3")))),
    )


parts = st.sampled_from(("", ":all ", ":localpart ", ":domain ", ":user ", ":detail "))
index = st.sampled_from(("", "", ":index 1 ", ":index 2 :last "))


def indexed(index: str, match: str) -> str:
    """Both, but where fields are counted."""
    return match if ":count" in match else index + match


names = st.sampled_from(("ann", "bob", "a.example", "bob+x", "x", "q r", "ab@a.b.example", "ANN@A.EXAMPLE"))
leaves = st.one_of(
    st.sampled_from(("true", "false")),
    listed(st.sampled_from(FIELDS)).map(lambda fields: f"exists {fields}"),
    st.sampled_from((":over", ":under")).flatmap(lambda how: st.sampled_from(("10", "250", "1K")).map(lambda size: f"size {how} {size}")),
    st.tuples(index, listed(st.sampled_from(FIELDS)), compared(words)).map(lambda t: f"header {indexed(t[0], t[2][0])}{t[1]} {t[2][1]}"),
    st.tuples(index, parts, listed(st.sampled_from(ADDRESSED)), compared(names)).map(
        lambda t: f"address {indexed(t[0], t[1] + t[3][0])}{t[2]} {t[3][1]}"
    ),
    st.tuples(parts, listed(st.sampled_from(("from", "to"))), compared(names)).map(lambda t: f"envelope {t[0]}{t[2][0]}{t[1]} {t[2][1]}"),
    st.tuples(listed(words | variable), compared(words))
    .filter(lambda t: "comparator" in t[1][0])
    .map(lambda t: f"string {t[1][0]}{t[0]} {t[1][1]}"),
    st.tuples(compared(st.sampled_from(FLAGS))).map(lambda t: f"hasflag {t[0][0]}{t[0][1]}"),
    st.tuples(st.sampled_from((":originalzone ", *(f':zone "{zone}" ' for zone in ZONES))), st.sampled_from(DATES), compared(words)).map(
        lambda t: f'date {t[0]}{t[2][0]}"date" "{t[1]}" {t[2][1]}'
    ),
    st.tuples(st.sampled_from((":raw ", ":text ", "")), compared(words)).map(lambda t: f"body {t[0]}{t[1][0]}{t[1][1]}"),
)
tests = st.recursive(
    leaves,
    lambda inner: st.one_of(
        inner.map(lambda test: f"not {test}"),
        st.tuples(st.sampled_from(("anyof", "allof")), st.lists(inner, min_size=1, max_size=3)).map(
            lambda t: f"{t[0]} ({', '.join(t[1])})"
        ),
    ),
    max_leaves=6,
)
flags = listed(st.sampled_from(FLAGS))
commands = st.one_of(
    st.sampled_from(("keep;", "discard;", "stop;", "keep;")),
    st.tuples(st.sampled_from(("", "", ':flags "a \\\\Seen" ')), st.sampled_from((*FOLDERS, "f${1}", "f${v}"))).map(
        lambda t: f'fileinto {t[0]}"{t[1]}";'
    ),
    st.sampled_from(COPIES).map('fileinto :copy "{}";'.format),
    st.just('fileinto :create "New";'),
    st.sampled_from(('redirect "a@x.example";', 'redirect :copy "b@x.example";', 'redirect "${v}@y.example";')),
    st.tuples(st.sampled_from(("setflag", "addflag", "removeflag")), st.sampled_from(("", '"f" ')), flags).map(" ".join).map("{};".format),
    st.tuples(
        st.sampled_from(("", ":upper ", ":lower ", ":upperfirst ", ":lower :upperfirst ", ":length ", ":quotewildcard ")),
        st.sampled_from(("v", "W")),
        words.filter(str.isascii) | variable.map("-{}".format),
    ).map(lambda t: f'set {t[0]}"{t[1]}" "{t[2]}";'),
    st.sampled_from(("vacation ", 'vacation :days 3 :subject "s" ', "vacation :seconds 9000 ")).map(lambda how: f'{how}"gone";'),
)
bodies = st.recursive(
    st.lists(commands, min_size=1, max_size=3).map(" ".join),
    lambda inner: st.tuples(st.lists(st.tuples(tests, inner), min_size=1, max_size=3), st.none() | inner, inner | st.just("")).map(
        lambda t: " els".join(f"if {test} {{ {body} }}" for test, body in t[0]) + (f" else {{ {t[1]} }}" if t[1] else "") + " " + t[2]
    ),
    max_leaves=6,
)
scripts = bodies.map(lambda body: ALL + body)

letters = st.builds(
    lambda subject, one, two, author, to, cc, date, text: letter(
        f"Subject: {subject}",
        *(f"X-One: {each}" for each in one),
        *(f"X-Two: {each}" for each in two),
        f"From: {author}",
        f"To: {', '.join(to)}",
        *(f"Cc: {each}" for each in cc),
        f"Date: {date}",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        body=f"{text}\r\n",
    ),
    words,
    st.lists(words, max_size=2),
    st.lists(words, max_size=2),
    st.sampled_from(PEOPLE),
    st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=3),
    st.lists(st.sampled_from(PEOPLE), max_size=2),
    st.sampled_from(("Tue, 01 Dec 2026 12:00:00 +0200", "Sat, 29 Feb 2020 23:59:59 -0330", "Thu, 1 Jan 2015 00:00:00 +0000")),
    words,
)
"""Messages."""
