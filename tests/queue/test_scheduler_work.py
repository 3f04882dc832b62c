"""The scheduler under any work: nothing is forgotten, doubled or starved."""

from __future__ import annotations

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mailer.queue.attempt import Job
from mailer.queue.destination import Destination
from mailer.queue.scheduler import Plan, QueueLimits, Scheduler
from tests.fakes.chance import examples
from tests.fakes.mail import NOW
from tests.queue.jobs import job


class Work(RuleBasedStateMachine):
    """Messages come, are loaded, tried, put off and taken away, in whatever order; beside it, what must be true of them."""

    @initialize(active=st.integers(1, 6), connections=st.integers(1, 5), per_destination=st.integers(1, 4))
    def begin(self, active: int, connections: int, per_destination: int) -> None:
        self.limits = QueueLimits(active, connections, per_destination)
        self.scheduler = Scheduler(self.limits)
        self.now = NOW
        self.waits: dict[str, float] = {}
        self.memory: dict[str, int] = {}  # jobs that are open
        self.sessions: list[tuple[Destination, Job]] = []

    @rule(id=st.sampled_from("abcde"), delay=st.sampled_from([None, 1.0, 5.0, 30.0]))
    def expect(self, id: str, delay: float | None) -> None:
        """A sender rings, or a scan finds something."""
        due = 0.0 if delay is None else self.now + delay
        self.scheduler.expect(id, due)
        if id not in self.memory:
            self.waits[id] = due

    @rule(id=st.sampled_from("abcde"))
    def take_away(self, id: str) -> None:
        """An operator holds it, if it is not in memory."""
        if id not in self.memory:
            self.scheduler.forget(id)
            self.waits.pop(id, None)

    @rule(keys=st.lists(st.sampled_from("xyz"), min_size=8, max_size=8))
    def plan(self, keys: list[str]) -> None:
        """Plan, and do what it says."""
        plan = self.scheduler.plan(self.now)
        self.check_loads(plan)
        for destination in plan.put_off:
            assert destination.breaker.is_open(self.now)
            for job_ in destination.take_all():
                self.through(job_, self.now + 60)
        for destination, job_ in plan.open:
            assert not destination.breaker.is_open(self.now)
            self.sessions.append((destination, job_))
        for nth, id in enumerate(plan.load):
            wanted = sorted({keys[nth % 8], keys[(nth + 1) % 8]})
            self.memory[id] = len(wanted)
            for key in wanted:
                self.scheduler.queue(job(key, id=id))

    def check_loads(self, plan: Plan) -> None:
        """What is loaded is due and not in memory; what is not loaded had no room, or is not due before the next plan."""
        for id in plan.load:
            assert id not in self.memory, "loaded twice"
            assert self.waits.pop(id) <= self.now, "loaded before its time"
        if len(self.memory) + len(plan.load) < self.limits.active:
            assert [id for id, due in self.waits.items() if due <= self.now] == [], "left waiting"
            assert all(plan.again is not None and plan.again <= due for due in self.waits.values()), "would oversleep"

    @precondition(lambda self: hasattr(self, "sessions") and self.sessions)
    @rule(nth=st.integers(0, 9), end=st.sampled_from(["good", "good", "host", "us"]), goes_on=st.booleans())
    def deliver(self, nth: int, end: str, goes_on: bool) -> None:
        """A session has done its job, and perhaps takes the next one."""
        destination, job_ = self.sessions.pop(nth % len(self.sessions))
        if end == "good":
            destination.window.succeeded()
            destination.breaker.succeeded()
        else:
            destination.window.failed()
            destination.breaker.failed(self.now, "x") if end == "host" else destination.breaker.trip(self.now, "x")
        self.through(job_, None if end == "good" else self.now + 10)
        following = destination.take() if goes_on and end == "good" else None
        if following:
            self.sessions.append((destination, following))
        else:
            self.scheduler.session_ended(destination)

    def through(self, job_: Job, due: float | None) -> None:
        """One job of a message is over; the last one settles it."""
        id = job_.attempt.entry.id
        self.memory[id] -= 1
        if not self.memory[id]:
            del self.memory[id]
            self.scheduler.forget(id)
            if due:
                self.scheduler.expect(id, due)
                self.waits[id] = due

    @rule(seconds=st.sampled_from([0.5, 10.0, 1000.0]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds

    @invariant()
    def limits_hold(self) -> None:
        """In memory, in all sessions, and for each destination."""
        if not hasattr(self, "scheduler"):
            return
        assert self.scheduler.active == set(self.memory)
        assert len(self.memory) <= self.limits.active
        assert self.scheduler.running == len(self.sessions) <= self.limits.connections
        running = Counter(destination.key for destination, _ in self.sessions)
        for key, destination in self.scheduler.destinations.items():
            assert destination.running == running[key] <= self.limits.per_destination
        assert self.scheduler.backlog()["waiting"] == len(self.waits)
        for id in "abcde":
            assert self.scheduler.knows(id) == (id in self.waits or id in self.memory)
            assert self.scheduler.due_of(id) == self.waits.get(id)

    def teardown(self) -> None:
        """In the end everything that was expected is loaded, tried and settled: nothing is stuck."""
        if not hasattr(self, "scheduler"):
            return
        for _ in range(300):
            self.now += 1000
            self.plan(["x"] * 8)
            while self.sessions:
                self.deliver(0, "good", goes_on=True)
            if not self.waits and not self.memory:
                self.plan(["x"] * 8)
                assert self.scheduler.idle
                return
        raise AssertionError(f"stuck: {self.waits} wait, {self.memory} in memory")


TestWork = Work.TestCase
TestWork.settings = settings(max_examples=examples(60), stateful_step_count=40)
