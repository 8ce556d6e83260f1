"""Everything about Caspio that no official document says, in one place and replaceable.

The numbers after each name are sections of caspio-api.md; (B) was seen by others, (C) is our choice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class CaspioAssumptions:
    """Pass another instance to `Caspio` when an account turns out to speak differently."""

    unique_violation: re.Pattern[str] = re.compile(
        r"(?i)duplicate|\bunique\b|already exists|\b2601\b|\b2627\b"
    )
    """3.2 (C): what a refused duplicate says in code or message, with status 400. SQL Server's words."""

    wrong_type: re.Pattern[str] = re.compile(r"(?i)match the data type")
    """2.2 (B): says that it is not about uniqueness, whatever the named fields are called."""

    fields_follow: re.Pattern[str] = re.compile(r"(?i)field\(s\)|fields?:|columns?:?")
    """3.2 (B): the names of refused fields come after these words."""

    too_many_calls: re.Pattern[str] = re.compile(r"(?i)api-calls-rate|exceeded your API call rate")
    """3.1 (B): a 400 that means 429."""

    stale_token_codes: frozenset[str] = frozenset({"incorrectqueryparameter"})
    """1 (B): a 400 that may mean 401. Renewed once whatever the token's age (design.md 6.6.3)."""

    permission: re.Pattern[str] = re.compile(
        r"(?i)privilege|permission|profiledisabled|ipforbidden|unsecured"
    )
    """3.2 (A, with two spellings seen): codes of a 400 that mean 403."""

    missing: re.Pattern[str] = re.compile(r"(?i)(object|field|column|file|record)s?notfound")
    """3.2 (B): codes that mean 404 on any 4xx status."""

    server_fault_codes: frozenset[str] = frozenset({"internalerror"})
    """3.2 (A lists it as 400): treated like a 500, because nothing says whether the write was done."""

    token_margin_seconds: int = 300
    """1 (C): a token is renewed this long before it expires."""

    token_seconds: int = 3600
    """1 (C): lifetime when the token's answer does not tell."""

    unicode_literals: bool = False
    """3.3 (C): write N'…' in conditions; needed for non-Latin text if the column is nvarchar."""

    plain_select_has_pk_id: bool = True
    """2.1, 2.2 (C): without q.select the rows carry PK_ID. False asks for the fields' names first."""

    short_page_is_last: bool = True
    """2.2 (A: N8N stops so): saves a billed call for each list. False asks until a page is empty."""

    max_integer: int = 2**31 - 1
    """3.5 (C): INTEGER is taken for SQL Server's int."""

    number_digits: int = 15
    """3.5 (A for lists, C for NUMBER): significant digits that survive."""

    webhook_sources: tuple[str, ...] = (
        "Datasheet", "DataPages", "DataParts", "Extensions", "TriggeredActions", "Tasks",
    )  # fmt: skip
    """2.8 (A, from two documents): every source but RESTAPIs, so that our own writes do not come back."""

    certain_webhook_sources: tuple[str, ...] = ("Datasheet", "DataPages", "TriggeredActions", "Tasks")
    """2.8: those of the OpenAPI document alone, taken where the others are refused."""
