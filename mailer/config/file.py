"""The configuration file: found, parsed, judged as a whole.

`load` is for everybody who needs settings; `examine` for ``mailer config check``, which shows all that is wrong.
"""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING

from mailer.mail.failure import BAD_CONFIG, Failure

from . import defaults
from .judge import Judge, Problem
from .model import Config
from .places import Places
from .quick import LARGEST_FILE, find, given

if TYPE_CHECKING:
    from collections.abc import Collection


def load(path: str | None = None, spool: str | None = None) -> Config:
    """The configuration in use; `path` and `spool` are what the command line gave.

    Without `path` it is the file that ``$MAILER_CONFIG`` names, else ``$XDG_CONFIG_HOME/mailer/config.toml``, else
    ``/etc/mailer/config.toml``, else the defaults. Raises `Failure` (78) with file and line.
    """
    return config_of(*find(path), spool)


def config_of(path: str, data: bytes, spool: str | None = None, *, only: Collection[str] = ()) -> Config:
    """The configuration that `data`, the content of `path`, writes. Raises `Failure` (78), also where there is no place for a spool.

    With `only`, the other sections are left at their defaults, and neither what is wrong in them matters nor whether there is a spool.
    """
    config, problems = examine(path, data, only=only)
    if config is None:
        rest = f" (and {len(problems) - 1} more; `mailer config check` shows all)" if len(problems) > 1 else ""
        raise Failure(at(path, problems[0]) + rest, BAD_CONFIG)
    if spool:
        place = os.path.abspath(given(spool))
        config = replace(config, mailer=replace(config.mailer, spool=place), lines={**config.lines, "mailer.spool": 0})
    if not config.spool and not only:
        raise defaults.nowhere()
    return config


def examine(path: str, data: bytes, *, only: Collection[str] = ()) -> tuple[Config | None, list[Problem]]:
    """The configuration, or what is wrong with it, by line; `only` as for `config_of`."""
    if len(data) > LARGEST_FILE:
        return None, [Problem(0, f"this is larger than {LARGEST_FILE} bytes; is it the right file?")]
    try:
        text = data.decode()
        raw = tomllib.loads(text)
    except UnicodeDecodeError as error:
        return None, [Problem(1 + data.count(b"\n", 0, error.start), "this is not text in UTF-8")]
    except RecursionError:
        return None, [Problem(0, "the brackets are nested too deeply")]
    except ValueError as error:
        return None, [_syntax(str(error), text)]
    if only:  # and what is in no section, which was meant for one
        raw = {name: value for name, value in raw.items() if name in only or not isinstance(value, dict | list)}
    judge = Judge(raw, Places(text))
    return judge.config(path), judge.problems


def at(path: str, problem: Problem) -> str:
    """One line: where, and what."""
    return f"{path}:{problem.line}: {problem.text}" if problem.line else f"{path}: {problem.text}"


def _syntax(message: str, text: str) -> Problem:
    """What `tomllib` says, with its line in front."""
    match = re.fullmatch(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", message, re.DOTALL)
    if match is None:
        return Problem(0, f"this is no TOML: {message}")
    return Problem(int(match[2] or 1 + text.rstrip().count("\n")), f"this is no TOML: {match[1]}")
