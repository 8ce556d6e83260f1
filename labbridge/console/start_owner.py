"""`/start/owner`: the first account of an empty installation, with the code that the service printed."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from labbridge.accounts.first import WrongCode, make_first, nobody_yet
from labbridge.accounts.forms import SignInForm
from labbridge.accounts.people import PersonProblem
from labbridge.console.start_steps import Step, plan


class OwnerForm(forms.Form):
    code = forms.CharField(
        label="Code from the service", max_length=40, help_text="“labbridge serve” printed it when it started; "
        "starting it again shows it again.",
        widget=forms.TextInput(attrs={"autofocus": True, "autocomplete": "off", "spellcheck": "false"}),
    )  # fmt: skip
    name = forms.EmailField(label="Your e-mail", max_length=150, help_text="It is your user name from now on.",
                            widget=forms.EmailInput(attrs={"autocomplete": "username"}))  # fmt: skip
    password = forms.CharField(
        label="A password", max_length=200, strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )  # fmt: skip


@never_cache
@login_not_required  # nobody can sign in yet: the code is the proof
@require_http_methods(["GET", "POST"])
def owner(request: HttpRequest) -> HttpResponse:
    if not nobody_yet():
        return redirect("start")
    form = OwnerForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            make_first(request, said["code"], said["name"], said["password"])
        except WrongCode:
            form.add_error("code", "This is not the code that the service printed.")
        except PersonProblem as problem:
            form.add_error("password", str(problem))
        else:
            return _sign_in(request, said)
    steps: list[Step] = plan(None, None)
    context = {"form": form, "steps": steps, "current": steps[0]}
    return render(request, "console/start_owner.html", context, status=400 if form.errors else 200)


def _sign_in(request: HttpRequest, said: dict[str, Any]) -> HttpResponse:  # any: a form's cleaned data
    """The same way as everybody's, so that the session knows what was proved."""
    form = SignInForm({"login": said["name"], "password": said["password"]}, request=request)
    if not form.is_valid():
        return redirect("sign-in")
    answer: HttpResponse = form.login(request, redirect_url=reverse("start"))
    return answer
