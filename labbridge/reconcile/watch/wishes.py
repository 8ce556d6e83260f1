"""Rupa works again: who asked to be told of their order request is written to, once, with no word about a patient."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.urls import reverse

from labbridge.alerts.channels import Channel, Send, channels, send
from labbridge.ordering.models import OrderRequest, RequestState
from labbridge.practices.models import Practice

log = structlog.get_logger()

FORGOTTEN = timedelta(
    days=7
)  #: after this nobody waits for it any more; a request is given up after five days
WORDS = {
    RequestState.READY: "Rupa works again. The checkout of your order request is ready:",
    RequestState.FAILED: "Your order request could not be completed. Its page says why and what to do:",
}


def by_mail(practice: Practice, user_name: str) -> Channel | None:
    """The way to write to that person, None when there is none.

    To their own address over the mail channel of the practice, else of the service. Who has no address is written to
    at the practice's own mail channel.
    """
    own = _first_mail(practice.alert_channels or [], outside=True)
    address = _address(user_name)
    way = own or (_first_mail(settings.DEPLOYMENT.alert_channels) if address else None)
    return replace(way, to=address) if way is not None else None


def _first_mail(urls: list[str] | tuple[str, ...], *, outside: bool = False) -> Channel | None:
    return next((one for one in channels(urls, outside=outside) if one.is_mail), None)


def _address(user_name: str) -> str:
    user = get_user_model().objects.filter(username=user_name, is_active=True).first() if user_name else None
    try:
        validate_email(user.email if user is not None else "")
    except ValidationError:
        return ""
    return str(user.email)  # type: ignore[union-attr]  # no user has no valid address


def tell(now: datetime, *, sending: Send = send) -> None:
    """Write to everybody whose request has gone on. What a channel does not take is tried again at the next look."""
    due = OrderRequest.objects.filter(
        wish_at__gt=now - FORGOTTEN, wish_mailed_at=None, state__in=list(WORDS), order_external_id=""
    )
    for one in due.select_related("practice"):
        way = by_mail(one.practice, one.wish_by)
        if way is None:
            continue
        address = settings.DEPLOYMENT.public_url + reverse("order-request", args=[one.pk])
        text = f"{WORDS[RequestState(one.state)]}\n{address}"
        if sending(way, f"Labbridge {one.practice.slug}: your order request", text):
            # A crash in between says the same twice, which is better than not at all.
            OrderRequest.objects.filter(pk=one.pk).update(wish_mailed_at=now)
        else:
            log.warning("ordering.wish_untold", practice=one.practice.slug, request_id=str(one.pk))
