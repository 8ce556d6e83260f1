"""`snippet`: ready HTML for a practice's DataPages."""

from __future__ import annotations

import html
import sys
from typing import Annotated, NamedTuple

import typer

from labbridge.commands.base import WRONG_USE, AsJson, PracticeSlug, Stop, command, print_json, the_practice


class Snippet(NamedTuple):
    where: str  # for people; never part of the HTML, where Caspio would fill in what somebody typed into an address
    html: str


# Caspio replaces [@field:Name] in a DataPage's own HTML (caspio-api.md 5.2). Values go into elements as text, never
# into a script, so that a quote in one of them breaks nothing. `docs/datapages.md` goes through every step.
SNIPPETS = {
    "button": Snippet(
        "A Details page or a Report on the table {patients}: an HTML Block, source view.",
        """\
<span>
  <span class="labbridge-patient" hidden>[@field:{key}]</span>
  <a data-labbridge-order data-patient-from=".labbridge-patient">Order labs</a>
</span>
<script src="{script}" defer></script>""",
    ),
    "request": Snippet(
        """\
A Submission Form on the table {requests}, with these elements:
  Patient_Key         hidden, on load: external parameter [@{key}]
  Practitioner_Email  hidden, on load: authentication field, the practitioner's e-mail
  Requested_At        hidden, on load: timestamp
  Protocol_ID         dropdown, lookup table {protocols}: shows Name, value Protocol_ID
  Test_IDs            text field, or hidden with the tests that this form is for
After submitting it leads to a Details page on {requests}, found by Request_ID. There, an HTML Block, source view:""",
        """\
<p role="status"><strong>[@field:Request_Status]</strong> [@field:Message]</p>
<p>
  <span class="labbridge-checkout" hidden>[@field:Checkout_Url]</span>
  <a data-labbridge-checkout data-url-from=".labbridge-checkout" hidden>Continue to Rupa's checkout</a>
</p>
<p><a href="?Request_ID=[@field:Request_ID]">Look again</a></p>
<script src="{script}" defer></script>""",
    ),
    "pending": Snippet(
        """\
A Report on the table {orders}. Filter: Phase is not complete, Phase is not canceled, Is_Demo is No; sorted by
Expected_By. For each row, an HTML Block, source view:""",
        """\
<p><strong>[@field:Rupa_Status]</strong> Patient [@field:Patient_Key], order [@field:Rupa_Order_ID]<br>
[@field:Tests_Resulted] of [@field:Tests_Total] results, expected [@field:Expected_By]</p>""",
    ),
    "results": Snippet(
        """\
A Details page on the table {results}, found by Result_Key: an HTML Block, source view. Below it goes a Report on the
table {values}, filtered by the same Result_Key, with Analyte, Value_Text, Units, Reference_Range and Flag.""",
        """\
<h2>[@field:Test_Name]</h2>
<p>[@field:Lab_Company_Name], received [@field:Received_At], version [@field:Version]</p>
<p><a href="[@field:Result_PDF/]">Open the report (PDF)</a></p>""",
    ),
}


@command
def snippet(
    kind: Annotated[str, typer.Argument(help="button, request, pending or results.")],
    practice: PracticeSlug = "",
    as_json: AsJson = False,
) -> None:
    """Print HTML to paste into a DataPage, and on standard error where. docs/datapages.md goes through it."""
    from labbridge.ordering.script import script_address
    from labbridge.practices.apply import config_of

    if kind not in SNIPPETS:
        raise Stop(f"There is no snippet {kind!r}. Known: {', '.join(SNIPPETS)}.", WRONG_USE)
    one = the_practice(practice)
    caspio = config_of(one).caspio
    values = {
        "script": html.escape(script_address(one.slug)),
        "patients": caspio.patients.table,
        "key": caspio.patients.key,
        "requests": caspio.tables.lab_order_requests,
        "protocols": caspio.tables.lab_protocols,
        "orders": caspio.tables.lab_orders,
        "results": caspio.tables.lab_results,
        "values": caspio.tables.lab_result_values,
    }
    where, made = (text.format(**values) for text in SNIPPETS[kind])
    if as_json:
        print_json({"kind": kind, "where": where, "html": made})
    else:
        print(where, file=sys.stderr)
        print(made)
