"""The sections about filters: what each kind has of its own, and what is refused with a sentence that helps."""

from __future__ import annotations

from math import inf

import pytest

from mailer.config.file import config_of
from mailer.config.model import as_document
from mailer.mail.problem import Problem


def read(text: str) -> list[tuple[str, object, object, object]]:
    return [(each.name, each.patience, each.timeout, each.max_size) for each in config_of("x", text.encode()).filters]


def test_each_kind_has_its_own_patience_time_and_limit() -> None:
    text = "".join(
        f'[[filter]]\nkind = "{kind}"\n{where}\n'
        for kind, where in (
            ("rspamd", 'address = "127.0.0.1"'),
            ("spamd", 'address = "[::1]:7830"'),
            ("clamd", 'address = "/run/clamd"'),
            ("milter", 'address = "127.0.0.1:8891"\npatience = "1h"'),
            ("program", 'command = ["/bin/look"]'),
            ("blocklist", 'address = "bl.example"'),
        )
    )
    assert read(text) == [
        ("rspamd", 900.0, 10.0, None),
        ("spamd", 900.0, 20.0, 512_000),
        ("clamd", inf, 30.0, 25_000_000),
        ("milter", 3600.0, 30.0, None),
        ("program", inf, 30.0, None),
        ("bl.example", 900.0, 5.0, None),
    ]
    places = [str(each.place) for each in config_of("x", text.encode()).filters[:4]]
    assert places == ["127.0.0.1:11333", "[::1]:7830", "/run/clamd", "127.0.0.1:8891"]


def test_what_is_read_is_written_back() -> None:
    """No end of patience is the word never; scores are a table."""
    text = '[[filter]]\nkind = "blocklist"\naddress = "bl.example"\npatience = "never"\nscores = { "127.0.0.4-7" = 2.5 }\n'
    document = as_document(config_of("x", f"{text}[filtering]\nmark = 4\n".encode()))
    assert (document["filter"][0]["patience"], document["filter"][0]["scores"]) == ("never", {"127.0.0.4-7": 2.5})
    assert (document["filtering"]["mark"], document["filtering"]["refuse"]) == (4, 15)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[filter]]\nkind = "clamd"', "nothing says where it is"),
        ('[[filter]]\nkind = "milter"\naddress = "127.0.0.1"', "has no port"),
        ('[[filter]]\nkind = "clamd"\naddress = "a b"', "a b"),
        ('[[filter]]\nkind = "blocklist"\naddress = "a..b"', "a..b"),
        ('[[filter]]\nkind = "program"', "needs a command"),
        ('[[filter]]\nkind = "program"\ncommand = "x"\naddress = "y"', "a program has a command instead"),
        ('[[filter]]\nkind = "clamd"\naddress = "/x"\ncommand = "x"', 'kind = "program"'),
        ('[[filter]]\nkind = "clamd"\naddress = "/x"\nscores = { "127.0.0.2" = 1 }', 'kind = "blocklist"'),
        ('[[filter]]\nkind = "blocklist"\naddress = "x.example"\nscores = { "10.0.0.2" = 1 }', "127.0.0.4-7"),
        ('[[filter]]\nkind = "blocklist"\naddress = "x.example"\nscore = "high"', "is no score"),
        ('[[filter]]\nkind = "clamd"\naddress = "/x"\npatience = "soon"', "is no duration"),
        ('[[filter]]\nkind = "clamd"\naddress = "/x"\n[[filter]]\nkind = "clamd"\naddress = "/y"', "another filter is called clamd"),
        ("[filtering]\nmark = 20", "less than mark"),
        ("[filtering]\nhold = 1", "not between mark and refuse"),
        ('[filtering]\ngreylist_wait = "2d"', "nobody could come again"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(text: str, said: str) -> None:
    with pytest.raises(Problem) as caught:
        config_of("x", text.encode())
    assert said in str(caught.value)
