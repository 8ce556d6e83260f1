"""Results arriving for ordered tests: first versions, late files, amended versions."""

import hashlib
from typing import Any

from labbridge.simulators.rupa import catalogue, panels, result_hl7, result_pdf
from labbridge.simulators.rupa.events import emit, order_updated
from labbridge.simulators.rupa.files import keep
from labbridge.simulators.rupa.orders import RESULTS_RECEIVED, conflict, ordered_tests
from labbridge.simulators.rupa.report import Report
from labbridge.simulators.rupa.store import Doc
from labbridge.simulators.rupa.world import World

FILES = ("pdf", "hl7", "pdf+hl7")


def arrive(
    world: World,
    order: Doc,
    *,
    tests: list[Doc],
    files: str | None = None,
    late: bool = False,
    at: str | None = None,
) -> None:
    """The lab reports these tests; with `late` the date is set and the files are still missing."""
    if order["date_canceled"] or not order["date_paid"]:
        raise conflict("Results come for paid orders only.")
    for test in tests:
        if test["versions"]:
            raise conflict("This test has a result; amend it.")
        test["received_at"] = test["received_at"] or at or world.now()
        if not late:
            _add_version(world, order, test, files)
        world.store.save("ordered_test", test)
    finished = _finish(world, order, at)
    emit(world, "order.new_result", "order", order)
    if finished:
        order_updated(world, order)


def amend(
    world: World,
    order: Doc,
    test: Doc,
    *,
    files: str | None = None,
    keep_received_date: bool = False,
    at: str | None = None,
) -> None:
    """The lab corrects a result: a new file replaces the old one, and order.new_result is sent again."""
    if not test["versions"]:
        raise conflict("This test has no result to amend.")
    if not keep_received_date:
        test["received_at"] = at or world.now()
    _add_version(world, order, test, files)
    world.store.save("ordered_test", test)
    emit(world, "order.new_result", "order", order)


def late_file(world: World, order: Doc, test: Doc, *, files: str | None = None, silent: bool = False) -> None:
    """First call: received, file pending. Second call: the file comes (`silent`: without an event)."""
    if test["received_at"] is None:
        arrive(world, order, tests=[test], late=True)
        return
    if test["versions"]:
        raise conflict("The file of this test is there already.")
    _add_version(world, order, test, files)
    world.store.save("ordered_test", test)
    if not silent:
        emit(world, "order.new_result", "order", order)


def pending(world: World, order: Doc) -> list[Doc]:
    return [test for test in ordered_tests(world, order) if not test["versions"]]


def report(world: World, order: Doc, test: Doc, version: int) -> Report:
    """The facts of one version; the same order, test and version give the same report."""
    lab_test = catalogue.find(world.store, test["lab_test"])
    patient = world.store.need("patient", order["patient"])
    practitioner = world.store.need("practitioner", order["signing_practitioner"])
    reported = test["received_at"]
    return Report(
        lab=lab_test["lab_company_name"],
        test=lab_test["name"],
        title=panels.title(lab_test["panel"]),
        specimen=panels.specimen(lab_test["panel"]),
        accession=f"A{int(hashlib.sha256(test['id'].encode()).hexdigest()[:8], 16):010d}",
        order_id=order["id"],
        ordered_test_id=test["id"],
        patient_id=patient["id"],
        patient_last=patient["last_name"],
        patient_first=patient["first_name"],
        birthday=patient.get("birthday") or "",
        gender=(patient.get("gender") or "U")[:1].upper(),
        practitioner=practitioner["titled_full_name"],
        collected_at=order["date_paid"] or reported,
        reported_at=reported,
        version=version,
        observations=panels.observations(lab_test["panel"], test["id"], version),
    )


def _add_version(world: World, order: Doc, test: Doc, files: str | None) -> None:
    lab_test = catalogue.find(world.store, test["lab_test"])
    wanted = files or _same_files(test) or ("pdf+hl7" if lab_test["files"] == "hl7" else "pdf")
    if wanted not in FILES:
        raise conflict(f"files must be one of {', '.join(FILES)}")
    number = len(test["versions"]) + 1
    facts = report(world, order, test, number)
    version: dict[str, Any] = {"version": number, "at": world.now(), "pdf": None, "hl7": None}
    if "pdf" in wanted:
        version["pdf"] = keep(world, result_pdf.render(facts), "application/pdf", "pdf")
    if "hl7" in wanted:
        text = result_hl7.message(facts)
        version["hl7"] = {"text": text, "sha256": hashlib.sha256(text.encode()).hexdigest()}
    test["versions"].append(version)
    test["pdf"] = version["pdf"]["file"] if version["pdf"] else None  # the order shows only the newest file
    test["hl7"] = version["hl7"]["text"] if version["hl7"] else None


def _same_files(test: Doc) -> str:
    """Say which files the version before had, if there is one."""
    return "+".join(kind for kind in ("pdf", "hl7") if test["versions"] and test["versions"][-1][kind])


def _finish(world: World, order: Doc, at: str | None) -> bool:
    """With the last test received the order reads Results Received; say whether that happened now."""
    if order["status"] == RESULTS_RECEIVED or any(
        t["received_at"] is None for t in ordered_tests(world, order)
    ):
        return False
    order["status"] = RESULTS_RECEIVED
    if world.options.complete_with_last_result:
        order["date_completed"] = at or world.now()
    world.store.save("order", order)
    return True
