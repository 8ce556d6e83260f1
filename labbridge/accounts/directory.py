"""`/accounts/saml/{slug}/…`: sign-in through the practice's Caspio directory.

The directory answers by a POST from its own site, which our session cookie (SameSite=Lax) does not accompany. So the
answer is verified and noted on the journey, and the browser comes back by a plain redirect with its session, which
must be the one that set out: somebody else's answer cannot sign a stranger's browser in.
"""

from __future__ import annotations

import uuid
from urllib.parse import urlencode

import structlog
from allauth.account.internal.flows.login import perform_login
from allauth.account.models import Login
from allauth.core import ratelimit
from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import User
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from labbridge.accounts import proof, saml
from labbridge.accounts.access import DIRECTORY_PRACTICE
from labbridge.accounts.assertion import AnswerRefused, claimed_request, verified
from labbridge.accounts.models import DirectorySignIn, Membership
from labbridge.accounts.roles import Role
from labbridge.practices.models import Practice
from labbridge.trust.audit import person, record

JOURNEYS = "directory_journeys"  # session: the newest journeys that this browser set out on
KEPT_JOURNEYS = 5
log = structlog.get_logger()


def same_site_path(address: str) -> str:
    """The address when it is a path of ours, else the front page."""
    safe = address.startswith("/") and url_has_allowed_host_and_scheme(address, allowed_hosts=None)
    return address if safe and len(address) <= 2000 else reverse("home")


def _directory(slug: str) -> saml.Directory:
    practice = Practice.objects.filter(slug=slug).first()
    found = saml.directory_of(practice) if practice else None
    if found is None:
        raise Http404
    return found


def address_for(request: HttpRequest) -> str:
    """The directory of the practice at which a stranger wants to order, or "" when it has none."""
    match = request.resolver_match
    slug = match.kwargs.get("slug") if match and match.route.startswith("order/") else None
    practice = Practice.objects.filter(slug=slug).first() if slug else None
    if practice is None or saml.directory_of(practice) is None:
        return ""
    back = urlencode({"next": request.get_full_path()})
    return f"{reverse('directory-sign-in', args=[practice.slug])}?{back}"


@never_cache
@login_not_required
@require_GET
def metadata(_request: HttpRequest, slug: str) -> HttpResponse:
    return HttpResponse(saml.metadata(_directory(slug)), content_type="application/samlmetadata+xml")


@never_cache
@login_not_required
@require_GET
def start(request: HttpRequest, slug: str) -> HttpResponse:
    """Send the browser to the directory; `fresh=1` has it ask for the password again (step-up)."""
    directory = _directory(slug)
    refused = ratelimit.consume_or_429(request, action="login")
    if refused:
        return refused  # type: ignore[no-any-return]  # allauth's own 429 page
    now = timezone.now()
    DirectorySignIn.objects.filter(started_at__lt=now - DirectorySignIn.KEPT).delete()
    journey = DirectorySignIn(
        practice=directory.practice,
        next=same_site_path(request.GET.get("next", "")),
        fresh=request.GET.get("fresh") == "1",
        started_at=now,
    )
    # The relay state is a key and not the path: SAML allows 80 bytes, and the directory need not know our paths.
    address, journey.request_id = saml.question(directory, journey.pk.hex, fresh=journey.fresh)
    journey.save()
    kept = [*request.session.get(JOURNEYS, []), str(journey.pk)]
    request.session[JOURNEYS] = kept[-KEPT_JOURNEYS:]
    return HttpResponseRedirect(address)


@csrf_exempt  # the directory posts here; the signature is the proof, and `finish` binds it to the browser
@never_cache
@login_not_required
@require_POST
def answer(request: HttpRequest, slug: str) -> HttpResponse:
    directory = _directory(slug)
    encoded = request.POST.get("SAMLResponse", "")
    try:
        request_id = claimed_request(encoded)
        if not request_id:
            return _not_asked(request, directory)
        journey, email = _take(directory, encoded, request_id)
    except AnswerRefused as refused:
        log.warning("accounts.directory_answer_refused", practice=slug, reason=refused.code)
        context = {"practice": directory.practice, "reason": refused.code}
        return render(request, "accounts/directory_refused.html", context, status=403)
    if journey.user is None:
        log.warning("accounts.directory_unknown_person", practice=slug)
        context = {"practice": directory.practice, "email": email, "ask": _whom_to_ask(directory.practice)}
        return render(request, "accounts/directory_unknown.html", context, status=403)
    return HttpResponseRedirect(reverse("directory-finish", args=[slug, journey.pk]), status=303)


def _take(directory: saml.Directory, encoded: str, request_id: str) -> tuple[DirectorySignIn, str]:
    """Verify the answer and mark its question as answered, once."""
    now = timezone.now()
    with transaction.atomic():
        journey = (
            DirectorySignIn.objects.select_for_update()
            .filter(request_id=request_id, practice=directory.practice)
            .first()
        )
        if journey is None or not journey.answerable(now):
            raise AnswerRefused("not_awaited")
        since = journey.started_at if journey.fresh else None
        email = verified(encoded, directory, request_id, now, fresh_since=since).email
        journey.answered_at = now
        journey.user = member_by_email(directory.practice, email)
        journey.two_factor = directory.config.two_factor
        journey.save()
    return journey, email


def _not_asked(request: HttpRequest, directory: saml.Directory) -> HttpResponse:
    """Begun at the directory: nothing is believed; the person goes on by a question of ours."""
    back = urlencode({"next": same_site_path(request.POST.get("RelayState", ""))})
    address = f"{reverse('directory-sign-in', args=[directory.practice.slug])}?{back}"
    return render(
        request, "accounts/directory_begin.html", {"practice": directory.practice, "address": address}
    )


def member_by_email(practice: Practice, email: str) -> User | None:
    """The one active member of the practice with this e-mail. No account is ever made here."""
    found = [
        one.user
        for one in Membership.objects.filter(practice=practice, user__email__iexact=email).select_related(
            "user"
        )
        if one.user.email.lower() == email and one.user.is_active
    ]
    return found[0] if len(found) == 1 else None


def _whom_to_ask(practice: Practice) -> list[str]:
    chiefs = practice.memberships.filter(role__in=[Role.OWNER, Role.ADMINISTRATOR], user__is_active=True)
    return list(chiefs.values_list("user__username", flat=True)[:3])


@never_cache
@login_not_required
@require_GET
def finish(request: HttpRequest, slug: str, journey_id: uuid.UUID) -> HttpResponse:
    """Turn the answer into a session, in the browser that asked."""
    journey = _use(request, slug, journey_id)
    if journey is None or journey.user is None:
        return HttpResponseRedirect(reverse(settings.LOGIN_URL))
    user = journey.user
    if request.user.is_authenticated and request.user.pk == user.pk:
        proof.note_directory(request, user, journey.practice, two_factor=False, fresh=journey.fresh)
        if journey.fresh:
            record("session.step_up", actor=person(request), practice=journey.practice)
        return HttpResponseRedirect(journey.next)  # proved again; what the session may do stays
    if request.user.is_authenticated:
        logout(request)
    request.session[DIRECTORY_PRACTICE] = str(journey.practice.pk)
    proof.note_directory(request, user, journey.practice, two_factor=journey.two_factor, fresh=journey.fresh)
    answered: HttpResponse = perform_login(request, Login(user=user, redirect_url=journey.next))
    return answered


def _use(request: HttpRequest, slug: str, journey_id: uuid.UUID) -> DirectorySignIn | None:
    if str(journey_id) not in request.session.get(JOURNEYS, []):
        log.warning("accounts.directory_other_browser", practice=slug)
        return None
    with transaction.atomic():
        journey = (
            DirectorySignIn.objects.select_for_update(of=("self",))
            .select_related("practice", "user")
            .filter(pk=journey_id, practice__slug=slug)
            .first()
        )
        if journey is None or not journey.usable(timezone.now()):
            return None
        journey.used_at = timezone.now()
        journey.save(update_fields=["used_at"])
    return journey
