"""Requests that another program makes of the OpenAPI document, right and wrong ones: none of them is a fault.

Its library is imported here alone: that takes a second and a half.
"""

from __future__ import annotations

from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis.checks import CHECKS, load_all_checks

from mailer.web.openapi import document
from mailer.web.table import TABLE
from tests.web.api import Api

pytestmark = pytest.mark.slow

load_all_checks()


@schemathesis.serializer("message/rfc822", "application/x-ndjson")
def octets(_context: schemathesis.SerializationContext, value: Any) -> bytes:
    return str(value).encode("utf-8", "surrogatepass")


BEYOND = frozenset(
    {"ignored_auth", "unsupported_method", "positive_data_acceptance", "negative_data_rejection", "use_after_free", "max_response_time"}
)
"""What is tried elsewhere (keys), or supposes that a schema says all that makes an address."""


def test_no_request_that_it_allows_is_a_fault(api: Api) -> None:
    """Whatever is made of it, right or wrong: the status, the type and the form of the answer are documented, and nothing is a 500."""
    fuzzed(api, document(TABLE), 8)


def fuzzed(api: Api, spec: dict[str, Any], examples: int) -> None:
    """Try so many requests of each endpoint, in each way that there is to make one."""
    made = schemathesis.openapi.from_dict(spec)
    made.app = api.app
    checks = [each for each in CHECKS.get_all() if each.__name__ not in BEYOND]
    settings = hypothesis.settings(
        max_examples=examples, deadline=None, database=None, derandomize=True, suppress_health_check=list(hypothesis.HealthCheck)
    )
    for result in made.get_all_operations():
        operation = result.ok()

        @hypothesis.given(case=operation.as_strategy())
        @settings
        def try_it(case: schemathesis.Case) -> None:
            case.call_and_validate(headers={"Authorization": f"Bearer {api.shop}"}, checks=checks, base_url="http://localhost")

        try_it()
    assert not [asked.bug for asked in api.told if asked.bug]
