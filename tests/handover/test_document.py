"""Schemathesis over the whole API: no 5xx, nothing undocumented, whatever is sent."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from labbridge.handover.api.document import LINKS
from labbridge.handover.api.urls import api

CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
    response_headers_conformance, unsupported_method, ignored_auth,
]  # fmt: skip
#: Without those that send calls of their own for each step: they are made for each call by itself, above all.
STEP_CHECKS = CHECKS[:5]


def app(environ: Any, start_response: Any) -> Any:
    from labbridge.wsgi import application

    return application(environ, start_response)


def document() -> Any:
    import json

    return json.loads(json.dumps(api.get_openapi_schema(), default=str))


schema = schemathesis.openapi.from_dict(document())
schema.app = app
OPERATIONS = [one.ok() for one in schema.get_all_operations()]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.label)
def test_every_call_does_as_the_document_says(operation: Any, willow: Any, key: Any, things: Any):
    ids = {one: str(value) for one, value in things(willow).items()}
    asked = {"Authorization": f"Bearer {key(willow, per_minute=6000)}"}

    @settings(
        max_examples=8, deadline=None, database=None, derandomize=True, phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @_given(operation)
    def check(case: Any) -> None:
        case.call_and_validate(headers=asked, checks=CHECKS)

    check()
    real = {one: value for one, value in ids.items() if f"{{{one}}}" in operation.path}
    if real and operation.method.upper() == "GET":  # random ids lead to nothing
        answer = operation.Case(path_parameters=real).call_and_validate(headers=asked, checks=CHECKS)
        assert answer.status_code == 200


def _given(operation: Any) -> Any:
    from hypothesis import given

    return given(case=operation.as_strategy())


@pytest.mark.django_db(transaction=True)
def test_links_lead_from_call_to_call_and_to_nothing_of_another_practice(
    willow: Any, birch: Any, key: Any, things: Any
):
    """Stateful: ids come from answers. What is found with a key of willow is not there for a key of birch."""
    theirs = {str(value) for value in things(birch).values() if len(str(value)) == 36}  # not small numbers
    things(willow)
    ours = {"Authorization": f"Bearer {key(willow, per_minute=6000)}"}
    others = {"Authorization": f"Bearer {key(birch, per_minute=6000)}"}
    steps: Counter[str] = Counter()

    class Calls(schema.as_state_machine()):  # type: ignore[misc]  # made from the document
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"headers": ours}

        def validate_response(self, response: Any, case: Any, **more: Any) -> None:
            case.validate_response(response, checks=STEP_CHECKS, headers=ours)
            told = response.content.decode(errors="replace")
            assert "birch" not in told, case.operation.label
            assert not any(one in told for one in theirs), case.operation.label
            steps[f"{case.operation.label} {response.status_code}"] += 1
            # a file's address opens without a key, and each ledger has a row 1
            if response.status_code < 300 and set(case.path_parameters or ()) - {"token", "seq"}:
                foreign = case.call(headers=others)
                assert foreign.status_code in {404, 422}, case.operation.label

    Calls.TestCase.settings = settings(
        max_examples=25, stateful_step_count=8, deadline=None, database=None, derandomize=True,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    run_state_machine_as_test(Calls, settings=Calls.TestCase.settings)
    reached = {label for label in steps if "{" in label and label.endswith(" 200")}
    assert reached, "links were followed to things that are there; an id that is made up leads to none"


def test_every_link_names_a_call_and_its_parameters() -> None:
    operations = {
        one["operationId"]: one for methods in document()["paths"].values() for one in methods.values()
    }
    found = 0
    for operation in operations.values():
        for answer in operation["responses"].values():
            for link in answer.get("links", {}).values():
                names = {one["name"] for one in operations[link["operationId"]]["parameters"]}
                assert link["parameters"].keys() <= names
                found += 1
    assert found == sum(len(one) for one in LINKS.values())
