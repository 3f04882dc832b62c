"""The OpenAPI document: right by its specification, and what the API does is what it says."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import validate

from mailer.web.openapi import document
from mailer.web.table import TABLE
from tests.fakes.processes import MAILER
from tests.web.api import MAIL, Api


@pytest.fixture
def spec() -> dict[str, Any]:
    return document(TABLE)


def test_the_document_is_one(spec: dict[str, Any]) -> None:
    """By a validator that is not ours."""
    validate(spec)


def test_each_endpoint_is_in_it(spec: dict[str, Any]) -> None:
    """With its summary, its scope, and what may go wrong."""
    assert {(method.upper(), path) for path, methods in spec["paths"].items() for method in methods} == {
        (each.method, each.path.replace(":path}", "}")) for each in TABLE
    }
    operations = [operation for methods in spec["paths"].values() for operation in methods.values()]
    assert all(operation["summary"].endswith(".") for operation in operations)
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert all("401" in operation["responses"] for operation in operations if "security" in operation)


def test_it_is_printed_and_served(api: Api, spec: dict[str, Any]) -> None:
    """The same, and without a key."""
    printed = subprocess.run([*MAILER, "api", "openapi"], capture_output=True, timeout=60, check=True).stdout
    assert json.loads(printed) == spec
    assert api.ask("GET", "/openapi.json", None).json() == spec


def resolved(spec: dict[str, Any], name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator({**spec["components"]["schemas"][name], "components": spec["components"]})


def test_what_is_answered_is_what_it_says(api: Api, spec: dict[str, Any]) -> None:
    """Each member, and no other."""
    sent = api.send(request_id="r").json()
    resolved(spec, "Accepted").validate(sent)
    assert set(sent) == set(spec["components"]["schemas"]["Accepted"]["properties"])
    for path, name in (("/status/r", "Message"), ("/explain/r", "Story")):
        resolved(spec, name).validate(api.ask("GET", path).json())
    for answer in (api.send(to_addresses=[]), api.ask("GET", "/status/nothing"), api.ask("GET", "/status/r", None)):
        resolved(spec, "Error").validate(answer.json())


def test_what_it_says_of_a_payload_is_what_is_read(api: Api, spec: dict[str, Any]) -> None:
    """Each member that it lists is known; a payload that it forbids is refused."""
    known = resolved(spec, "Email")
    known.validate(MAIL)
    for member in spec["components"]["schemas"]["Email"]["properties"]:
        assert api.send(**{member: None} if member not in MAIL else {}).status_code == 202, member
    for members in ({"subjet": "x"}, {"to_addresses": 7}, {"attachments": [{"name": "a"}]}, {"priority": "urgent"}):
        assert not known.is_valid({**MAIL, **members})
        assert api.send(**members).status_code == 400
