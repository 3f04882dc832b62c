"""Traces as a part of the daemon: where they go, as the configuration says, also when that changes."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from mailer.events import Alarm, Mended
from mailer.io.component import Component
from mailer.io.extras import installing
from mailer.mail.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mailer.config import Config
    from mailer.config.sections.daemon import TraceSection
    from mailer.events import Events
    from mailer.io.clock import Clock

    from .choice import Choice
    from .otlp import Otlp
    from .tracer import Tracer

SECONDS = 5.0  # that the collector has to answer
LAST = 2.0  # seconds for what is left at the end


class Traces(Component):
    """Sends traces of what `events` tell, where the configuration says; `version` is the program's."""

    def __init__(self, config: Config, events: Events, clock: Clock, version: str) -> None:
        self._config = config
        self.events = events
        self.clock = clock
        self.version = version
        self._tracer: Tracer | None = None
        self._before = {"sent": 0, "dropped": 0}

    def counts(self) -> Mapping[str, int]:
        """How many attempts were ``sent`` to a collector, and ``dropped``, since the start."""
        now = self._tracer.counts if self._tracer else {}
        return {result: number + now.get(result, 0) for result, number in self._before.items()}

    async def start(self) -> None:
        """Send from now on; what takes its time is done before there is mail. Raises `Problem`."""
        config = self._config
        _check(config.trace)
        if config.trace.endpoint:
            otlp = await asyncio.to_thread(_loaded, config, self.version)
            self._begin(config, lambda: otlp)

    @contextmanager
    def reload(self, config: Config) -> Iterator[None]:
        """Send elsewhere, or nothing, or choose otherwise. Raises `Problem` where the libraries are not installed."""
        _check(config.trace)
        yield
        before, self._config = self._config.trace, config
        if config.trace.endpoint != before.endpoint:
            self._end(0.0)
            self.events.tell(Mended(self.clock.now(), "traces", detail="they go elsewhere"))
            if config.trace.endpoint:
                self._begin(config, lambda: _connect(config, self.version))
        elif self._tracer is not None:
            self._tracer.choice = _choice(config.trace)

    async def stop(self, grace: float) -> None:
        """Send what is left, within two seconds."""
        await asyncio.to_thread(self._end, min(grace, LAST))

    def _begin(self, config: Config, connect: Callable[[], Otlp]) -> None:
        from .tracer import Tracer  # none of it is loaded where nobody wants traces

        loop = asyncio.get_running_loop()

        def trouble(why: str) -> None:
            try:
                loop.call_soon_threadsafe(self._tell, config.trace.endpoint, why)
            except RuntimeError:  # the loop is over, and nobody is left to be told
                pass

        self._tracer = Tracer(_choice(config.trace), connect, trouble)
        self._tracer.start()
        self.events.listeners.append(self._tracer)

    def _end(self, seconds: float) -> None:
        tracer, self._tracer = self._tracer, None
        if tracer is None:
            return
        self.events.listeners.remove(tracer)
        tracer.stop(seconds)
        for result, number in tracer.counts.items():
            self._before[result] += number

    def _tell(self, endpoint: str, why: str) -> None:
        if why:
            text = f"the collector at {endpoint} takes no traces ({why}): they are dropped until it does, and mail goes on"
            self.events.tell(Alarm(self.clock.now(), "traces", text))
        else:
            self.events.tell(Mended(self.clock.now(), "traces", detail=f"the collector at {endpoint} takes traces again"))


def _choice(settings: TraceSection) -> Choice:
    from .choice import Choice

    return Choice(settings.sample, failures=settings.failures, slow=settings.slow)


def _check(settings: TraceSection) -> None:
    """Raises `Problem` (bad-config) where traces are wanted, and what sends them is missing."""
    if not settings.endpoint:
        return
    try:
        found = find_spec("opentelemetry.exporter.otlp.proto.http") and find_spec("opentelemetry.sdk")
    except (ImportError, ValueError):
        found = None
    if not found:
        raise Problem(f"trace.endpoint is set, and opentelemetry is not installed: {installing('otel')}", "bad-config")


def _loaded(config: Config, version: str) -> Otlp:
    """Raises `Problem` (bad-config) where what is installed cannot be used."""
    try:
        return _connect(config, version)
    except (ImportError, AttributeError, TypeError) as error:
        text = f"trace.endpoint is set, and what is installed of opentelemetry cannot be used ({error}): {installing('otel', newer=True)}"
        raise Problem(text, "bad-config") from None


def _connect(config: Config, version: str) -> Otlp:
    from .otlp import Otlp

    return Otlp(config.trace.endpoint, SECONDS, config.hostname, version)
