"""`snippet`: ready HTML for a practice's DataPages."""

from __future__ import annotations

import html
from typing import Annotated

import typer

from labbridge.commands.base import WRONG_USE, AsJson, PracticeSlug, Stop, command, print_json, the_practice

BUTTON = """<!-- Details page of the patients table. Source view of an HTML block. -->
<span id="labbridge-patient" hidden>[@field:{key}]</span>
<a data-labbridge-order data-patient-from="#labbridge-patient">Order labs</a>
<script src="{script}" defer></script>"""
REQUEST = """<!-- Submission form on the table {lab_order_requests}. Hidden fields, filled when the page loads:
     Patient_Key         from the parameter [@{key}]
     Practitioner_Email  from the authentication field [@authfield:Email]
     Requested_At        timestamp
     Shown: Protocol_ID (a dropdown of {lab_protocols}) or Test_IDs.
     After submitting, lead to a details page of the same record, which shows: -->
<p>[@field:Message]</p>
<p><a href="[@field:Checkout_Url]">Continue to Rupa's checkout</a></p>"""
PENDING = """<!-- Tabular report on {lab_orders}; filter: Phase is neither complete nor canceled, Is_Demo is No. -->
<strong>[@field:Rupa_Status]</strong> · [@field:Tests_Resulted] of [@field:Tests_Total] results ·
expected [@field:Expected_By]"""
RESULTS = """<!-- Details page of {lab_results}, found by Result_Key; its values: a report on {lab_result_values}. -->
<h2>[@field:Test_Name]</h2>
<p>[@field:Lab_Company_Name], received [@field:Received_At], version [@field:Version]</p>
<p><a href="[@field:Result_PDF/]">Open the report (PDF)</a></p>"""
SNIPPETS = {"button": BUTTON, "request": REQUEST, "pending": PENDING, "results": RESULTS}


@command
def snippet(
    kind: Annotated[str, typer.Argument(help="button, request, pending or results.")],
    practice: PracticeSlug = "",
    as_json: AsJson = False,
) -> None:
    """Print HTML to paste into a DataPage. docs/datapages.md shows where."""
    from django.conf import settings

    from labbridge.practices.apply import config_of

    if kind not in SNIPPETS:
        raise Stop(f"There is no snippet {kind!r}. Known: {', '.join(SNIPPETS)}.", WRONG_USE)
    one = the_practice(practice)
    config = config_of(one)
    made = SNIPPETS[kind].format(
        script=html.escape(f"{settings.DEPLOYMENT.public_url}/embed/{one.slug}.js"),
        key=config.caspio.patients.key,
        **config.caspio.tables.model_dump(),
    )
    if as_json:
        print_json({"kind": kind, "html": made})
    else:
        print(made)
