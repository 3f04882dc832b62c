from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.config.model import literal
from mailer.config.places import Places

TEXT = '''\
# [mailer]
top.key = 1
  "quoted key" = 'x' # = 5

[mailer]
hostname = "a # no comment" # a comment
list = [ # [inside]
  "x", # ]
  [1, 2]
]
long = """
[no.header]
key = "no key\\""""
raw = \'\'\'it''s\'\'\'
inline = { a = 1, "b" = [1] }
[[route]]
match = "*"
[ [route] ]
'''.replace("[ [route] ]", "[[ route ]]\nmatch = 2024-01-01\n[route.sub]\nx = -0.5\n['a.b'.\"c\\u0041\"]\r\nend = true\r")


def test_every_key_and_table_has_its_place() -> None:
    """Strings, comments, brackets over several lines, quoted keys and lists of tables do not lead astray."""
    places = Places(TEXT)
    assert {path: place.line for path, place in places.keys.items()} == {
        ("top", "key"): 2,
        ("quoted key",): 3,
        ("mailer", "hostname"): 6,
        ("mailer", "list"): 7,
        ("mailer", "long"): 11,
        ("mailer", "raw"): 14,
        ("mailer", "inline"): 15,
        ("route", 0, "match"): 17,
        ("route", 1, "match"): 19,
        ("route", 1, "sub", "x"): 21,
        ("a.b", "cA", "end"): 23,
    }
    assert {path: place.line for path, place in places.tables.items()} == {
        ("mailer",): 5,
        ("route", 0): 16,
        ("route", 1): 18,
        ("route", 1, "sub"): 20,
        ("a.b", "cA"): 22,
    }


def test_the_span_of_a_value_is_the_value() -> None:
    """What lies between start and end is the value and nothing else."""
    raw = tomllib.loads(TEXT)
    for path, place in Places(TEXT).keys.items():
        value: Any = raw
        for name in path:
            value = value[name]
        assert tomllib.loads(f"x = {TEXT[place.start : place.end]}")["x"] == value


def test_the_line_of_what_has_none_is_that_of_its_table() -> None:
    """A key in an inline table, or one that is missing, is reported where its table stands."""
    places = Places(TEXT)
    assert places.line(("mailer", "inline", "a")) == 15
    assert places.line(("mailer", "missing")) == 5
    assert places.line(("nowhere",)) == 0


plain = st.one_of(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), st.integers(-9, 9), st.booleans())
documents = st.dictionaries(
    st.sampled_from(["a", "b", "c-1"]),
    st.dictionaries(st.sampled_from(["x", "y", "z_2"]), st.one_of(plain, st.lists(plain, max_size=3)), min_size=1),
)


@given(documents, st.sampled_from(["", "  ", "\t"]), st.sampled_from(["", " # ]\"'", "\r"]))
def test_places_of_any_file(tables: dict[str, dict[str, Any]], before: str, after: str) -> None:
    """However values look, each is found at its line with its span; and `literal` writes what TOML reads."""
    lines = []
    for name, table in tables.items():
        lines.append(f"{before}[{name}]{after}")
        lines += [f"{before}{key} = {literal(value)}{after}" for key, value in table.items()]
    text = "\n".join([*lines, ""])
    assert tomllib.loads(text) == tables
    places = Places(text)
    assert set(places.keys) == {(name, key) for name, table in tables.items() for key in table}
    for (name, key), place in places.keys.items():
        assert text[place.start : place.end] == literal(tables[str(name)][str(key)])
        assert lines[place.line - 1].startswith(f"{before}{key} =")


def test_a_literal_of_something_else_is_a_bug() -> None:
    """There is no setting that is nothing."""
    with pytest.raises(TypeError):
        literal(None)
