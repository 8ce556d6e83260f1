"""The resources Rupa shows: attributes, relationships, what can be filtered, sorted and searched.

Sources: rupa-api.md 5.1 to 5.9. Attributes marked ASSUMED there have no source but the need of a test.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from labbridge.simulators.rupa import catalogue
from labbridge.simulators.rupa.files import shown_pdf
from labbridge.simulators.rupa.store import Doc
from labbridge.simulators.rupa.world import World

Attributes = Callable[[World, Doc], Doc]


@dataclass(frozen=True)
class Resource:
    """`to_one` and `to_many` map a relationship to (type, key in the stored document)."""

    type: str
    attributes: Attributes
    to_one: dict[str, tuple[str, str]] = field(default_factory=dict)
    to_many: dict[str, tuple[str, str]] = field(default_factory=dict)
    filters: dict[str, str] = field(default_factory=dict)  # name in filter[...] -> key in the document
    sorts: tuple[str, ...] = ()
    searched: tuple[str, ...] = ()
    of_clinic: bool = True
    newest_first: bool = False


def picked(*names: str) -> Attributes:
    return lambda _world, doc: {name: doc.get(name) for name in names}


def price(world: World, cents: int) -> int | float | str:
    """Say an amount in the unit and kind that the options ask for (the unit is unknown: rupa-api.md 5.12)."""
    if world.options.price_unit == "cents":
        return str(cents) if world.options.price_as == "string" else cents
    if world.options.price_as == "string":
        return f"{cents / 100:.2f}"
    return cents // 100 if cents % 100 == 0 else cents / 100


def _lab_test(world: World, doc: Doc) -> Doc:
    return {**_LAB_TEST(world, doc), "rupa_price": price(world, doc["price_cents"])}


def _order_intent(world: World, doc: Doc) -> Doc:
    tests = [catalogue.find(world.store, test) for test in doc["lab_tests"]]
    return {
        "return_url": doc["return_url"],
        "metadata": doc["metadata"],
        "checkout_url": doc["checkout_url"],
        "total_price": price(world, sum(test["price_cents"] for test in tests)),
        "icd10_codes": doc["icd10_codes"],
    }


def _order(world: World, doc: Doc) -> Doc:
    shown = _ORDER(world, doc)
    shown["total_price"] = price(world, doc["total_cents"])
    if world.options.metadata_place == "attributes":
        shown["metadata"] = doc["metadata"]
    return shown


def _ordered_test(world: World, doc: Doc) -> Doc:
    return {
        "date_results_received_from_lab": doc["received_at"],
        "requisition": None,  # as in the sample; what it holds otherwise is not known
        "results_hl7": doc["hl7"],
        "results_pdf": shown_pdf(world, doc["pdf"]) if doc["pdf"] else None,
    }


def _line_item(world: World, doc: Doc) -> Doc:
    return {**_LINE_ITEM(world, doc), "amount": price(world, doc["cents"])}


_LAB_TEST = picked(
    *("name", "url", "details", "unavailable_reason", "is_addon", "shipping_days_min", "shipping_days_max"),
    *("estimated_days_for_results", "sample_report_url", "disabled", "disabled_reason"),
    *("category", "test_type"),  # ASSUMED names; the guide says one can filter by them
)
_ORDER = picked(
    *("status", "payer", "notes_to_patient", "date_submitted", "date_paid", "date_patient_checkout"),
    *("date_completed", "date_canceled", "is_demo"),
)
_LINE_ITEM = picked("description", "kind", "quantity")  # ASSUMED (rupa-api.md 5.9)

ALL = (
    Resource("clinic", picked("name"), sorts=("name",)),  # ASSUMED (rupa-api.md 5.2)
    Resource(
        "practitioner",
        picked(
            *("first_name", "last_name", "titled_full_name", "primary_practitioner_type"),
            *("ordering_authorization_status", "verification_status", "address", "updated_at"),
        ),
        to_one={"clinic": ("clinic", "clinic")},
        sorts=("last_name", "updated_at"),
        searched=("first_name", "last_name", "titled_full_name"),
    ),
    Resource(
        "patient",
        picked(
            *("first_name", "last_name", "email", "birthday", "phone_number", "gender", "shipping_address"),
            "created_at",
        ),
        to_one={"practitioner": ("practitioner", "practitioner"), "clinic": ("clinic", "clinic")},
        filters={"email": "email", "practitioner": "practitioner"},
        sorts=("created_at", "last_name", "first_name", "email"),
        searched=("first_name", "last_name", "email"),
    ),
    Resource(
        "lab_company",
        picked(
            *("name", "short_name", "key", "additional_fees", "about_url", "logo", "certifications"),
            "specialties",
        ),
        filters={"key": "key"},
        sorts=("name",),
        searched=("name", "short_name"),
        of_clinic=False,
    ),
    Resource(
        "lab_test",
        _lab_test,
        to_one={"lab_company": ("lab_company", "lab_company"), "parent": ("lab_test", "parent")},
        filters={"lab_company": "lab_company", "category": "category", "test_type": "test_type"},
        sorts=("name",),
        searched=("name", "lab_company_name"),
        of_clinic=False,
    ),
    Resource(
        "order_intent",
        _order_intent,
        to_one={"patient": ("patient", "patient"), "order": ("order", "order")},
        to_many={"lab_tests": ("lab_test", "lab_tests"), "line_items": ("line_item", "line_items")},
        newest_first=True,
    ),
    Resource(
        "order",
        _order,
        to_one={
            "patient": ("patient", "patient"),
            "patients_practitioner": ("practitioner", "patients_practitioner"),
            "signing_practitioner": ("practitioner", "signing_practitioner"),
            "order_intent": ("order_intent", "order_intent"),
        },
        to_many={
            "ordered_tests": ("ordered_test", "ordered_tests"),
            "line_items": ("line_item", "line_items"),
        },
        filters={"patient": "patient", "status": "status", "order_intent": "order_intent"},
        sorts=("date_submitted", "date_paid", "date_completed"),
        newest_first=True,
    ),
    Resource("ordered_test", _ordered_test, to_one={"lab_test": ("lab_test", "lab_test")}),
    Resource("line_item", _line_item),
)
RESOURCES = {resource.type: resource for resource in ALL}


def resource_object(world: World, kind: str, doc: Doc, only: dict[str, set[str]] | None = None) -> Doc:
    """Render one stored document as djangorestframework-jsonapi does (rupa-api.md 4)."""
    resource = RESOURCES[kind]
    wanted = (only or {}).get(kind)
    attributes = resource.attributes(world, doc)
    links: Doc = {}
    for name, (to, key) in resource.to_one.items():
        linked = doc.get(key)
        links[name] = {"data": {"type": to, "id": linked} if linked else None}
    for name, (to, key) in resource.to_many.items():
        ids = doc.get(key) or []
        links[name] = {"data": [{"type": to, "id": one} for one in ids], "meta": {"count": len(ids)}}
    shown: Doc = {"type": kind, "id": doc["id"]}
    for part, values in (("attributes", attributes), ("relationships", links)):
        kept = {name: value for name, value in values.items() if wanted is None or name in wanted}
        if kept:
            shown[part] = kept
    return shown


def related(kind: str, doc: Doc, name: str) -> tuple[str, list[str]] | None:
    """Return the type and ids behind a relationship, or None when there is no such relationship."""
    resource = RESOURCES[kind]
    if name in resource.to_one:
        to, key = resource.to_one[name]
        return to, [doc[key]] if doc.get(key) else []
    if name in resource.to_many:
        to, key = resource.to_many[name]
        return to, list(doc.get(key) or [])
    return None
