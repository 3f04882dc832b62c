"""The API, asked for whatever its document allows and forbids, for as long as nobody has time in a suite."""

from __future__ import annotations

import pytest

from mailer.web.openapi import document
from mailer.web.table import TABLE
from tests.web.api import Api
from tests.web.conftest import api
from tests.web.test_fuzzed import fuzzed

__all__ = ["api"]


@pytest.mark.timeout(3600)
def test_no_request_of_very_many_is_a_fault(api: Api) -> None:
    """Three hundred of each endpoint."""
    fuzzed(api, document(TABLE), 300)
