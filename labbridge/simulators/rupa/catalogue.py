"""The catalogue: lab companies and tests with public names; prices and times are invented from a seed."""

import hashlib
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from labbridge.simulators.rupa.store import Doc, Store
from labbridge.simulators.rupa.world import LETTERS, PREFIXES

HERE = Path(__file__).parent
SEED = "rupa-simulator"
SAMPLE_TYPES = {
    "dutch": ("Dried urine", 249, 499, 14),
    "saliva": ("Saliva", 99, 269, 10),
    "stool": ("Stool", 179, 459, 14),
    "oat": ("Urine", 189, 429, 15),
    "thyroid": ("Blood", 29, 159, 4),
    "chem": ("Blood", 9, 119, 3),
    "lipids": ("Blood", 15, 189, 5),
    "female": ("Blood", 19, 199, 5),
    "micro": ("Blood", 25, 379, 8),
    "metals": ("Blood or urine", 59, 229, 10),
    "foods": ("Dried blood spot", 149, 599, 16),
    "myco": ("Urine", 299, 399, 15),
    "toxins": ("Urine", 99, 329, 16),
    "genes": ("Buccal swab", 149, 449, 24),
    "sibo": ("Breath", 139, 269, 9),
    "fatty": ("Dried blood spot", 49, 159, 9),
    "ticks": ("Blood", 149, 899, 18),
}
CERTIFICATIONS = ("CLIA", "CAP", "New York State", "COLA")


def companies() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((HERE / "catalogue.json").read_text())
    return found


def fixed_id(kind: str, name: str, seed: str = SEED) -> str:
    """An id that is the same in every fresh simulator."""
    number = int.from_bytes(hashlib.sha256(f"{seed}:{kind}:{name}".encode()).digest()[:8], "big")
    letters = []
    for _ in range(7):
        number, at = divmod(number, len(LETTERS))
        letters.append(LETTERS[at])
    return f"{PREFIXES[kind]}_{''.join(letters)}"


def load(store: Store, size: int = 0, seed: str = SEED) -> None:
    """Put companies and tests into an empty store; invent more tests until there are `size`."""
    count = 0
    known = companies()
    for company in known:
        doc = store.add("lab_company", _company(company, seed))
        for test in company["tests"]:
            store.add("lab_test", _test(doc, company["files"], test, seed))
            count += 1
    for n, (company, test) in zip(range(count, size), _invented(known), strict=False):
        doc = store.need("lab_company", fixed_id("lab_company", company["key"], seed))
        store.add("lab_test", _test(doc, company["files"], {**test, "name": f"{test['name']} #{n}"}, seed))


def _invented(known: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    while True:
        for company in known:
            for test in company["tests"]:
                yield company, {**test, "name": f"{test['name']} (invented)"}


def _company(raw: dict[str, Any], seed: str) -> Doc:
    dice = random.Random(f"{seed}:{raw['key']}")
    return {
        "id": fixed_id("lab_company", raw["key"], seed),
        **{name: raw[name] for name in ("name", "short_name", "key", "about_url", "specialties")},
        "additional_fees": dice.choice((None, None, "Lab processing fee of $9.75 per order")),
        "logo": f"https://labs.rupahealth.example/logos/{raw['key']}.png",
        "certifications": sorted(dice.sample(CERTIFICATIONS, dice.randint(1, 3))),
    }


def _test(company: Doc, files: str, raw: dict[str, Any], seed: str) -> Doc:
    dice = random.Random(f"{seed}:{company['key']}:{raw['name']}")
    sample, cheap, dear, days = SAMPLE_TYPES[raw["panel"]]
    parent = raw.get("parent")
    ships = dice.randint(1, 4)
    test_id = fixed_id("lab_test", f"{company['key']}:{raw['name']}", seed)
    doc = {
        "id": test_id,
        "name": raw["name"],
        "lab_company": company["id"],
        "lab_company_name": company["name"],
        "category": raw["category"],
        "test_type": sample,
        "panel": raw["panel"],
        "files": files,
        "url": f"{company['about_url']}/tests/{test_id[-7:]}",
        "details": f"{raw['name']} by {company['name']}. Sample: {sample.lower()}. Invented entry.",
        "sample_report_url": f"{company['about_url']}/samples/{test_id[-7:]}.pdf"
        if dice.random() < 0.8
        else None,
        "is_addon": parent is not None,
        "parent": fixed_id("lab_test", f"{company['key']}:{parent}", seed) if parent else None,
        "shipping_days_min": ships,
        "shipping_days_max": ships + dice.randint(1, 5),
        "estimated_days_for_results": max(2, days + dice.randint(-3, 6)),
        "price_cents": _price(dice, *((19, 79) if parent else (cheap, dear))),
        **availability(None, None),
    }
    if not parent:
        doc.update(_sometimes_unavailable(dice))
    return doc


def availability(disabled_reason: str | None, unavailable_reason: str | None) -> Doc:
    return {
        "disabled": disabled_reason is not None,
        "disabled_reason": disabled_reason,
        "unavailable_reason": unavailable_reason,
    }


def _sometimes_unavailable(dice: random.Random) -> Doc:
    roll = dice.random()
    if roll < 0.03:
        return availability("Discontinued by the lab", None)
    if roll < 0.06:
        return availability(None, "Kits are out of stock until further notice")
    return {}


def _price(dice: random.Random, cheap: int, dear: int) -> int:
    return dice.randint(cheap, dear) * 100 + dice.choice((0, 0, 0, 50, 75, 99))


def new_test(store: Store, raw: Doc, seed: str) -> Doc:
    """Make one more test from the fields of `POST /_sim/lab-tests`; `name` and `lab_company` are needed."""
    company = store.need("lab_company", raw["lab_company"])
    base = _test(company, raw.get("files", "pdf"), {"category": "Gut", "panel": "stool", **raw}, seed)
    base["id"] = raw.get("id", base["id"])
    return {**base, **{name: raw[name] for name in base.keys() & raw.keys()}}


def find(store: Store, test_id: str) -> Doc:
    """Return a test, also one taken out of the catalogue: old orders still name it. Raises KeyError."""
    return store.one("lab_test", test_id) or store.need("retired_lab_test", test_id)


def retire(store: Store, test_id: str) -> None:
    """Take a test out of the catalogue. Raises KeyError."""
    store.need("lab_test", test_id)
    store.run("UPDATE documents SET kind = 'retired_lab_test' WHERE kind = 'lab_test' AND id = ?", test_id)
