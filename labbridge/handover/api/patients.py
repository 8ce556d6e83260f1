"""Patients by their ids: whether and why a row in Caspio is linked with a patient at Rupa; bringing one there now.

Names, birthdays and addresses are no part of it: a program that needs those reads Caspio.
"""

from __future__ import annotations

import uuid

from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from ninja import Router

from labbridge.handlers.links import is_connected, queue_sync
from labbridge.handover.api import shapes
from labbridge.handover.api.auth import actor_of, audit, key_of
from labbridge.handover.api.calls import get, one, post
from labbridge.handover.api.once import IdempotencyKey, once
from labbridge.handover.api.paging import Pages, Paging, page
from labbridge.handover.api.problems import Problem
from labbridge.handover.api.root import no_such_thing
from labbridge.handover.models import KeptCall
from labbridge.mirror.models import Chart, PatientLink
from labbridge.trust.audit import record

router = Router(tags=["patients"])
NOT_CONNECTED = "Nobody of the practice is connected to Rupa: connect with `labbridge rupa connect`."


@get(router, "patients", "patients:read", shapes.PatientPage)
def list_patients(
    request: HttpRequest, paging: Paging = Pages, linked: bool | None = None
) -> shapes.PatientPage:
    charts = _charts(request)
    if linked is not None:
        charts = charts.filter(link__isnull=not linked)
    rows, cursor = page(charts, paging)
    patients = [side for row in rows for side in _concerned(row)]
    audit(request, "patient.search", patients=patients, count=len(rows))
    return shapes.PatientPage(items=[_shape(row) for row in rows], next_cursor=cursor)


@post(router, "patients/lookup", "patients:read", shapes.Patient, 404)
def look_up_patient(request: HttpRequest, question: shapes.PatientQuestion) -> shapes.Patient:
    """By the key in Caspio or the id at Rupa. They travel in the body, so that no address holds them."""
    charts = _charts(request)
    if bool(question.patient_key) == bool(question.rupa_patient_id):
        raise Problem("unacceptable", "Give patient_key or rupa_patient_id, one of the two.")
    if question.patient_key:
        charts = charts.filter(key=question.patient_key)
    else:
        charts = charts.filter(link__patient__external_id=question.rupa_patient_id)
    found = charts.first() if "\0" not in question.patient_key + question.rupa_patient_id else None
    audit(
        request, "patient.search", patients=_concerned(found) if found else [], count=int(found is not None)
    )
    if found is None:
        raise no_such_thing()
    return _shape(found)


@get(router, "patients/{patient_id}", "patients:read", shapes.Patient)
def get_patient(request: HttpRequest, patient_id: uuid.UUID) -> shapes.Patient:
    chart = one(_charts(request), patient_id)
    audit(request, "patient.read", patients=_concerned(chart), subject=f"chart:{chart.pk}")
    return _shape(chart)


@post(router, "patients/{patient_id}/sync", "patients:sync", {202: shapes.SyncStarted}, 409)
def sync_patient(
    request: HttpRequest, patient_id: uuid.UUID, idempotency_key: IdempotencyKey
) -> HttpResponse:
    """Have the row matched, linked, created or updated at Rupa now. `get_patient` shows how it ended."""
    chart = one(_charts(request), patient_id)

    def work(_call: KeptCall) -> tuple[int, shapes.SyncStarted]:
        if chart.erased_at or not chart.present:
            raise Problem("conflict", "This row is gone from Caspio, or the patient was erased.")
        if not is_connected(chart.practice):
            raise Problem(
                "conflict",
                NOT_CONNECTED,
            )
        record(
            "sync.run", actor=actor_of(request), practice=chart.practice, patient=_concerned(chart),
            subject=f"chart:{chart.pk}", why="machine API",
        )  # fmt: skip
        queue_sync(chart)
        return 202, shapes.SyncStarted(patient_id=chart.pk, queued=True)

    return once(request, idempotency_key, None, work)


def _charts(request: HttpRequest) -> QuerySet[Chart]:
    charts = Chart.objects.filter(practice=key_of(request).practice).defer("person")
    return charts.select_related("practice", "link__patient")


def _link(chart: Chart) -> PatientLink | None:
    return getattr(chart, "link", None)


def _concerned(chart: Chart) -> list[Model]:
    link = _link(chart)
    return [chart, *([link.patient] if link else [])]


def _shape(chart: Chart) -> shapes.Patient:
    link = _link(chart)
    return shapes.Patient(
        id=chart.pk, patient_key=chart.key, present=chart.present, linked=link is not None,
        rupa_patient_id=link.patient.external_id if link else None, linked_at=link.made_at if link else None,
        linked_by=link.made_by if link else None, link_reasons=[str(one) for one in link.reasons] if link else [],
        sync_status=chart.sync_status, sync_message=chart.sync_message, read_at=chart.read_at,
    )  # fmt: skip
