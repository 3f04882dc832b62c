"""Which process runs which tests, where pytest-xdist has several: `Turns`, which tests/conftest.py gives it.

What has the mark ``xdist_group`` goes to one process with the rest of its group. All else goes test by test in the whole run, of which
some take a minute; and file by file in the quick run, where a test takes less time than telling a process of it does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from xdist.scheduler import LoadGroupScheduling


class Turns(LoadGroupScheduling):
    """What ``--dist loadgroup`` does, at a price for each test that does not grow with their number.

    The class of pytest-xdist keeps what is done and counts through all of it after each test, and looks for each among all: at 8,000 tests
    that was a sixth of the quick run. This one forgets what is done, and knows where each stands.
    """

    def __init__(
        self, config: pytest.Config, log: Any = None, *, by_file: bool = False, long: Callable[[str], bool] = lambda _: False
    ) -> None:
        super().__init__(config, log)
        self._by_file = by_file
        self._long = long
        self._places: dict[str, int] = {}

    def schedule(self) -> None:
        """Hand out the first ones. Single tests of files that are not ``long`` come last: so nobody waits for one at the end."""
        begins = self.collection is None
        super().schedule()
        if begins:
            for scope in list(self.workqueue):
                file, _, test = scope.partition("::")
                if test and not self._long(file):
                    self.workqueue.move_to_end(scope)

    def _assign_work_unit(self, node: Any) -> None:
        """Give `node` what is next: the places of its tests in the list, which all processes have alike."""
        if not self._places:
            self._places = {nodeid: place for place, nodeid in enumerate(self.collection)}
        scope, unit = self.workqueue.popitem(last=False)
        self.assigned_work.setdefault(node, {})[scope] = unit
        node.send_runtest_some([self._places[nodeid] for nodeid in unit])

    def _split_scope(self, nodeid: str) -> str:
        """The name of what is handed out as one: a group, a file or a test."""
        scope = super()._split_scope(nodeid)
        return nodeid.partition("::")[0] if self._by_file and scope == nodeid else scope

    def mark_test_complete(self, node: Any, item_index: int, duration: float = 0) -> None:
        """Forget the test with this place in the list of `node`, and give `node` more if it has little left."""
        nodeid = self.registered_collections[node][item_index]
        scope = self._split_scope(nodeid)
        units = self.assigned_work[node]
        del units[scope][nodeid]
        if not units[scope]:
            del units[scope]
        self._reschedule(node)
