"""The page at /_sim/: what the simulator holds and how it misbehaves, with one button per preset."""

from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any, Protocol

STYLE = (Path(__file__).parent / "faults.css").read_text()
SHOWN_REQUESTS = 25


class Shown(Protocol):
    name: str
    buttons: list[tuple[str, str]]

    def figures(self) -> Mapping[str, object]: ...
    def rules(self) -> list[dict[str, Any]]: ...
    def requests(self) -> list[dict[str, Any]]: ...


def render(faults: Shown, presets: Iterable[str]) -> str:
    """Draw the page; it shows counts, rules and request lines, never a body."""
    rules, requests = faults.rules(), faults.requests()
    title = escape(faults.name)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{title}: controls</title><link rel="stylesheet" href="/_sim/style.css">'
        '<link rel="icon" href="data:,"></head><body><main>'
        f"<h1>{title}</h1><p>A stand-in, not the real service. Invented data only.</p>"
        f"<h2>State</h2>{_table('State', ('What', 'Now'), faults.figures().items())}"
        f"<div class=row>{_buttons(faults.buttons)}</div>"
        f"<h2>Misbehaviour</h2><p>A preset replaces all rules.</p>"
        f"<div class=row>{_buttons((name, f'/_sim/presets/{name}') for name in presets)}</div>"
        f"{_rules(rules)}"
        f"<h2>Requests</h2><p>{len(requests)} since start; the newest {SHOWN_REQUESTS}:</p>"
        f"{_requests(requests[: -SHOWN_REQUESTS - 1 : -1])}"
        "</main></body></html>"
    )


def _rules(rules: list[dict[str, Any]]) -> str:
    if not rules:
        return "<p>No rules: the simulator behaves.</p>"
    rows = (
        (r["id"], r["kind"], r["match"] or "everything", r["hits"], r["times"] or "for ever") for r in rules
    )
    return _table("Misbehaviour", ("Id", "Kind", "Match", "Hits", "Times"), rows)


def _requests(requests: list[dict[str, Any]]) -> str:
    rows = (
        (
            r["n"],
            r["method"],
            r["path"],
            " ".join(r["query_keys"]),
            r["status"] or "dropped",
            r["fault"] or "",
        )
        for r in requests
    )
    return _table("Requests", ("No.", "Method", "Path", "Query keys", "Status", "Fault"), rows)


def _table(name: str, head: tuple[str, ...], rows: Iterable[Iterable[object]]) -> str:
    heads = "".join(f'<th scope="col">{escape(h)}</th>' for h in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(c))}</td>" for c in row) + "</tr>" for row in rows)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{name}"><table>'
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _buttons(buttons: Iterable[tuple[str, str]]) -> str:
    return "".join(
        f'<form method="post" action="{escape(path)}"><button>{escape(label)}</button></form>'
        for label, path in buttons
    )
