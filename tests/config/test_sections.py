"""What sections are: values that do not change, with all that is to be said of a setting in one declaration."""

from __future__ import annotations

import pytest

from mailer.config import Config, kinds
from mailer.config.model import SECTIONS
from mailer.config.sections import COUNT, TEXT, Section, Setting, SubmissionSettings


class Example(Section, header="[[example]]", plural="examples"):
    """One that no configuration has."""

    number = Setting(COUNT, "So many.", 5)
    secret = Setting(TEXT, "What nobody shall see.", "", private=True)
    needed = Setting(TEXT, "What has to be there.", example="x")


class Longer(Example, header="[longer]"):
    """One that has more."""

    period = Setting(kinds.PERIOD, "So long.", "5m")


def test_a_section_has_what_is_given_and_the_defaults() -> None:
    """Defaults stand as the file writes them, and are read as it is; the settings of a class stand before those of one below it."""
    section = Longer(needed="y", number=7)
    assert (section.number, section.secret, section.needed, section.period) == (7, "", "y", 300.0)
    assert [setting.key for setting in Longer.settings] == ["number", "secret", "needed", "period"]
    assert [setting.key for setting in Longer.settings if setting.required] == ["needed"]
    assert (Example.word, Example.member, Longer.word) == ("example", "example", "longer")


def test_a_section_is_a_value() -> None:
    """It is what it has, it does not change, and another one can be made of it; what is private is not shown."""
    section = Example(needed="y", secret="hunter2")
    assert section == Example(needed="y", secret="hunter2") != Example(needed="z", secret="hunter2")
    assert section != Longer(needed="y", secret="hunter2")
    assert len({section, Example(needed="y", secret="hunter2")}) == 1
    assert section.but(number=6) == Example(needed="y", secret="hunter2", number=6)
    assert repr(section) == "Example(number=5, needed='y')"
    with pytest.raises(AttributeError, match="does not change"):
        setattr(section, "number", 6)  # noqa: B010 - a type checker would refuse it, too, if it could
    assert section.number == 5


def test_what_a_section_cannot_be_made_of() -> None:
    """A setting that there is not, or none where there has to be one: bugs, not mistakes of an operator."""
    with pytest.raises(TypeError, match="Example has no setting nubmer"):
        Example(needed="y", nubmer=6)
    with pytest.raises(TypeError, match="needed has to be given"):
        Example()
    with pytest.raises(TypeError, match="there is no section malier"):
        Config(malier=Example(needed="y"))


def test_a_configuration_has_a_member_for_each_section() -> None:
    """Those that stand in the file once, by name, and in order; the settings of submission are of two of them."""
    config = Config()
    assert vars(config).keys() == {cls.member for cls in SECTIONS} | {"path", "lines"}
    assert config.but(path="/x").path == "/x"
    assert repr(config).startswith("Config(mailer=Mailer(hostname=")
    with pytest.raises(AttributeError, match="does not change"):
        config.path = "/x"
    own = {**vars(config.mailer), **vars(config.submission), "config_path": "", "sandbox": config.sandbox}
    assert vars(config.submitting) == own
    assert config.submitting == SubmissionSettings(**own)
