"""From the tables of a TOML file to a `Config`, or to everything that is wrong with the file.

Each section is built from its declaration in `model`, so a new setting needs nothing here. All problems
are found in one go, each with its line: whoever mends a file wants the whole list.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NamedTuple

from .model import LISTED, NAMED, TABLES, Config, Route
from .setting import settings
from .values import written

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .dkim import Dkim
    from .places import Path, Places
    from .relay import Relay

SECTIONS = (*TABLES, *NAMED, *LISTED)
REFUSED = {"password": "a password does not stand in the configuration; put it in a file and name that with password_file"}


class Problem(NamedTuple):
    """One thing that is wrong, at `line`; 0 is the whole file."""

    line: int
    text: str


class Judge:
    """Reads the tables `raw`; afterwards `problems` and `lines` are complete."""

    def __init__(self, raw: Mapping[str, Any], places: Places) -> None:
        self.raw = raw
        self.places = places
        self.problems: list[Problem] = []
        self.lines: dict[str, int] = {}

    def config(self, path: str) -> Config | None:
        """The configuration, or `None` if there are problems."""
        self._sections()
        made = {name: self._table(name, cls) for name, cls in TABLES.items() if name in self.raw}
        relays = self._relays()
        routes = self._routes(relays)
        dkim = self._dkim()
        submitters = tuple(self._listed("submitter", "submitters"))
        shaping = self._shaping(relays)
        self.problems.sort()
        if self.problems:
            return None
        lists: dict[str, Any] = {"routes": routes, "dkim": dkim, "submitters": submitters, **shaping}
        return Config(**made, relays=relays, **lists, path=path, lines=self.lines)

    def wrong(self, path: Path, text: str) -> None:
        """Note a problem at `path`."""
        self.problems.append(Problem(self.places.line(path), text))

    def _sections(self) -> None:
        for name, value in self.raw.items():
            if name in SECTIONS:
                continue
            homes = [section for section, cls in TABLES.items() if name in {s.key for s in settings(cls)}]
            if isinstance(value, dict | list) or not homes:
                self.wrong((name,), f"there is no section [{written(name)[1:-1]}]{nearest(name, SECTIONS, '[{}]')}")
            else:
                self.wrong((name,), f"{name} stands before any section; it belongs below [{homes[0]}]")

    def _table(self, name: str, cls: type) -> Any:
        if not isinstance(self.raw[name], dict):
            self.wrong((name,), f"{name} is a section of its own; write [{name}] once")
            return None
        return self._section(cls, self.raw[name], (name,))

    def _relays(self) -> dict[str, Relay]:
        """The relays by name. One that is wrong is left out, but is not unknown to the routes."""
        tables = self.raw.get("relay", {})
        if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
            self.wrong(("relay",), "a relay needs a name; write [relay.NAME]")
            return {}
        found = {}
        for name, table in tables.items():
            if not name or not name.isascii() or not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
                self.wrong(("relay", name), f"{written(name)} is no name for a relay; use letters, digits, - _ and .")
            found[name] = self._section(NAMED["relay"], table, ("relay", name), name=name)
        return found

    def _routes(self, relays: Mapping[str, Relay]) -> tuple[Route, ...]:
        made = self._listed("route", "routes")
        seen: dict[str, int] = {}
        for at, route in enumerate(made):
            if route:
                self._ways_out(route, at, relays)
                self._reachable(route, at, seen)
        return (*made, *self._rest(made, seen, relays))

    def _dkim(self) -> tuple[Dkim, ...]:
        keys = self._listed("dkim", "keys of DKIM")
        seen: dict[tuple[str, str], int] = {}
        for at, key in enumerate(keys):
            if key:
                name = (key.selector, key.domain.lower())
                if earlier := seen.get(name):
                    self.wrong(("dkim", at, "selector"), f"line {earlier} has the key {'._domainkey.'.join(name)} already")
                seen.setdefault(name, self.places.line(("dkim", at, "selector")))
        return tuple(keys)

    def _shaping(self, relays: Mapping[str, Relay]) -> dict[str, Any]:
        """Shapes, sources and reactions, and whether what they name is there."""
        found = {name: tuple(self._listed(name, f"{name}s")) for name in ("source", "shape", "reaction")}
        sources: dict[str, int] = {}
        for at, source in enumerate(found["source"]):
            if source and (earlier := sources.get(source.name)):
                self.wrong(("source", at, "name"), f"line {earlier} has a source {source.name} already")
            if source:
                sources.setdefault(source.name, self.places.line(("source", at, "name")))
        for kind in ("shape", "reaction"):
            for at, rule in enumerate(found[kind]):
                for target in rule.match if rule else ():
                    if target.startswith("relay:") and (name := target.removeprefix("relay:")) not in relays:
                        self.wrong((kind, at, "match"), f"there is no [relay.{name}]{nearest(name, relays, '[relay.{}]')}")
        for at, shape in enumerate(found["shape"]):
            for name in shape.sources if shape else ():
                if name not in sources and None not in found["source"]:
                    self.wrong(("shape", at, "sources"), f"there is no source {name}{nearest(name, sources)}")
        return {f"{name}s": rules for name, rules in found.items()}

    def _listed(self, name: str, what: str) -> list[Any]:
        """The sections of a list in their order; `None` for each that has problems."""
        tables = self.raw.get(name, [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            self.wrong((name,), f"{what} are a list; write [[{name}]] above each")
            return []
        return [self._section(LISTED[name], table, (name, at)) for at, table in enumerate(tables)]

    def _ways_out(self, route: Route, at: int, relays: Mapping[str, Relay]) -> None:
        names = [hop.removeprefix("relay:") for hop in route.via if hop != "mx"]
        for name in names:
            if name not in relays:
                self.wrong(("route", at, "via"), f"there is no [relay.{name}]{nearest(name, relays, '[relay.{}]')}")
        if len({relays[name].author if relays.get(name) else "" for name in (hop.removeprefix("relay:") for hop in route.via)}) > 1:
            self.wrong(("route", at, "via"), "one way out takes one author only and another does not; give them routes of their own")
        if len(set(route.via)) < len(route.via):
            self.wrong(("route", at, "via"), "via names the same way out twice")

    def _reachable(self, route: Route, at: int, seen: dict[str, int]) -> None:
        earlier = seen.get("*") or seen.get(route.match)
        if earlier:
            self.wrong(("route", at, "match"), f"this route is never used: line {earlier} takes the same mail before it")
        seen.setdefault(route.match, self.places.line(("route", at, "match")))

    def _rest(self, routes: list[Any], seen: Mapping[str, int], relays: Mapping[str, Relay]) -> list[Route]:
        """The route for what no other takes."""
        if "*" in seen:
            return []
        if routes or not relays:
            return [Route(match="*", via=("mx",))]
        if len(relays) > 1:
            self.wrong(("relay", [*relays][1]), "there are several relays and no [[route]] that says which one is used")
        return [Route(match="*", via=(f"relay:{next(iter(relays))}",))]

    def _section(self, cls: type, table: Mapping[str, Any], path: Path, **more: str) -> Any:
        """One section as its dataclass; `None` if it has problems."""
        before = len(self.problems)
        known = {setting.key: setting for setting in settings(cls)}
        found = {}
        for key, value in table.items():
            if key not in known:
                self.wrong((*path, key), REFUSED.get(key) or f"{_header(path)} has no setting {written(key)[1:-1]}{nearest(key, known)}")
                continue
            try:
                found[key] = known[key].kind.read(value)
            except ValueError as error:
                self.wrong((*path, key), f"{key}: {error}")
            self.lines[".".join(map(str, (*path, key)))] = self.places.line((*path, key))
        for setting in known.values():
            if setting.required and setting.key not in table:
                self.wrong(path, f'{_header(path)} has no {setting.key}; write {setting.key} = "{setting.example}"')
        if len(self.problems) > before:
            return None
        made = cls(**found, **more)
        for key, text in getattr(made, "problems", tuple)():
            self.wrong((*path, key), text)
        return made


def _header(path: Path) -> str:
    """How the file writes the table at `path`."""
    return f"[[{path[0]}]]" if isinstance(path[-1], int) else f"[{'.'.join(map(str, path))}]"


def nearest(name: str, known: Iterable[str], form: str = "{}") -> str:
    """The end of a sentence that says `name` is unknown: what it may have meant."""
    near = get_close_matches(name, known, 1)
    return f"; did you mean {form.format(near[0])}?" if near else f"; there are {', '.join(known)}" if known else ""
