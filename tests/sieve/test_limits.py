"""What a script, or a message, cannot do: keep the machine busy, grow without bound, or break the interpreter."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer import sieve
from mailer.sieve import Effort, FileInto, Keep, SieveError, glob
from mailer.sieve.lexer import LARGEST
from mailer.sieve.state import MOST_ACTIONS

from .cases import ALL
from .letters import facts, letter, run

LONG = 0.5  # seconds of the processor that nothing here takes; it is a tenth of that


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("#" * (LARGEST + 1), "more than 65536 octets"),
        ("if true {" * 33 + "}" * 33, "blocks are nested more than 32 deep"),
        ("if " + "not " * 40_0 + "true {}", "tests are nested more than 32 deep"),
        ("if " + "anyof (" * 400 + "true" + ")" * 400 + " {}", "tests are nested more than 32 deep"),
        ("keep;" * 4001, "more than 4000 commands"),
        ("[" * 10_000, "a command was due"),
        ("keep " + "[" * 10_000, "a string was due"),
        ("(" * 10_000, "a command was due"),
        ("keep " + ":a" * 10_000 + ";", "no tag :a"),
        ("/* " * 10_000, "a comment begins here"),
        ('"' + "\\" * 10_001, "a string begins here"),
        ("keep; \0", "a NUL"),
        (b"keep; \xff", "no UTF-8"),
        ("x" * 10_000 + ";", "there is no command"),
    ],
)
def test_a_script_that_is_too_much(script: str | bytes, words: str) -> None:
    """It is refused in one line, at once, however much of what is in it."""
    begun = time.process_time()
    with pytest.raises(SieveError, match=words) as caught:
        sieve.parse(script)
    assert len(str(caught.value)) < 300
    assert time.process_time() - begun < LONG


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("".join(f'fileinto "{nth}";' for nth in range(MOST_ACTIONS + 1)), "more than 32 actions"),
        ("".join(f'redirect "{nth}@x.example";' for nth in range(5)), "more than 4 addresses"),
        ("".join(f'set "v{nth}" "x";' for nth in range(251)), "more than 250 variables"),
        (f'set "a" "{"x" * 4000}"; if string "{"${a}" * 17}" "b" {{ keep; }}', "more than 65536 characters"),
        ("if header :matches \"subject\" " + '["*?a?b*"' + ', "*?a?c*"' * 3000 + "] { keep; }", "compared too much text"),
        ('fileinto "${a}";', "cannot be the name of a folder"),
        ('redirect "${a}";', "is not an address"),
    ],
)  # fmt: skip
def test_a_run_that_is_too_much(body: str, words: str) -> None:
    """It ends with the line and the reason, and nothing of it is done."""
    mail = letter("Subject: " + "a" * 60_000)
    begun = time.process_time()
    with pytest.raises(SieveError, match=words) as caught:
        run(ALL + body, mail)
    assert caught.value.line == 2
    assert time.process_time() - begun < 4 * LONG


@pytest.mark.parametrize("key", ["*a" * 300 + "*b", "?" * 3000, "*?a?a?a?a*b", "a*" * 500, "\\" * 999, "*" * 2000])
def test_no_pattern_is_slow(key: str) -> None:
    """A pattern made to be tried in every place of a text that nearly fits."""
    begun = time.process_time()
    pattern = glob.pattern(key)
    glob.places(pattern, "a" * 60_000)
    assert time.process_time() - begun < LONG


def slowly(key: str, text: str) -> bool:
    """The same by trying everything, for short ones."""
    if not key:
        return not text
    if key[0] == "*":
        return any(slowly(key[1:], text[at:]) for at in range(len(text) + 1))
    if key[0] == "?":
        return bool(text) and slowly(key[1:], text[1:])
    key = key[1:] if key[0] == "\\" and len(key) > 1 else key
    return text[:1] == key[0] and slowly(key[1:], text[1:])


@given(st.text("ab*?\\", max_size=8), st.text("ab*\\", max_size=8))
def test_patterns_match_what_they_say(key: str, text: str) -> None:
    """As trying everything does; and what wildcards stand for, put in their places, is the text."""
    pattern = glob.pattern(key)
    places = glob.places(pattern, text)
    assert (places is not None) == slowly(key, text)
    if places is not None:
        found = iter(glob.matched(pattern, places, text))
        made = [(next(found) if nth else "") + "".join(next(found) if char is None else char for char in piece)
                for nth, piece in enumerate(pattern.pieces)]  # fmt: skip
        assert "".join(made) == text


def test_a_large_header() -> None:
    """Ten thousand fields and a megabyte of addresses are read once, however often they are asked for."""
    mail = letter(*["X-Many: a"] * 10_000, "To: " + ", ".join(f"a{nth}@x.example" for nth in range(5_000)))
    script = "".join(f'if anyof (header "x-many" "b{nth}", address "to" "b{nth}@x.example") {{ discard; }}' for nth in range(30))
    begun = time.process_time()
    assert run(ALL + script, mail) == (Keep(),)
    assert time.process_time() - begun < 4 * LONG


@pytest.mark.parametrize("test", ['header :is "to"', 'header :matches "to"', 'address :contains "to"'])
def test_thousands_of_short_keys_and_values(test: str) -> None:
    """Each comparison has its price, however short what is compared is."""
    keys = ", ".join(f'"?a{nth:x}"' for nth in range(6_000))
    begun = time.process_time()
    with pytest.raises(SieveError, match="the script has compared too much"):
        run(ALL + f"if {test} [{keys}] {{ discard; }}", letter(*["To: a@b.example"] * 1_000))
    assert time.process_time() - begun < 12 * LONG


def test_how_much_is_compared_is_for_the_caller_to_say() -> None:
    """A budget that is used up ends the script."""
    script = sieve.parse('if header :contains "subject" "x" { keep; }')
    with pytest.raises(SieveError, match="line 1: the script has compared too much"):
        sieve.run(script, facts(letter("Subject: hello")), Effort(3))


def test_a_script_runs_many_times() -> None:
    """What is parsed once is asked of each message, and remembers none."""
    script = sieve.parse(ALL + 'if header :matches "subject" "*" { set "a" "${1}"; setflag "${1}"; } fileinto "f-${a}";')
    assert sieve.run(script, facts(letter("Subject: one"))) == (FileInto("f-one", ("one",)),)
    assert sieve.run(script, facts(letter("X: two"))) == (FileInto("f-"),)


def test_octets_that_are_no_text() -> None:
    """A field in no character set is compared as readers guess it, and breaks nothing."""
    mail = letter("Subject: caf\udce9", "From: \udcff <a@b.example>")
    assert run(ALL + 'if header :contains "subject" "caf" { discard; }', mail) != (Keep(),)
    assert run(ALL + 'if header :matches "subject" "*" { fileinto "${1}"; }', mail) == (FileInto("café"),)
    assert run(ALL + 'if address "from" "a@b.example" { discard; }', mail) != (Keep(),)
