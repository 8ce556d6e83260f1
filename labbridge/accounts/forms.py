"""The forms of signing in, in our words."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import ChangePasswordForm, LoginForm
from allauth.account.forms import ReauthenticateForm as ConfirmPasswordForm
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.webauthn.forms import AddWebAuthnForm, EditWebAuthnForm, LoginWebAuthnForm
from django import forms
from django.conf import settings
from django.core.cache import cache

from labbridge.trust.keys import keyring

DIRECTORY_FIRST = (
    "You sign in through your practice's directory: a key is a second step after it, and opens nothing alone."
)


def _plain(field: forms.Field, label: str) -> None:
    field.label = label
    field.widget.attrs.pop("placeholder", None)


class SignInForm(LoginForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        _plain(self.fields["login"], "User name")
        _plain(self.fields["password"], "Password")
        self.fields["login"].widget.attrs["autofocus"] = True


class PasswordForm(ChangePasswordForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        _plain(self.fields["oldpassword"], "Your password now")
        _plain(self.fields["password1"], "The new one")
        _plain(self.fields["password2"], "The new one again")


class ConfirmForm(ConfirmPasswordForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        _plain(self.fields["password"], "Password")
        self.fields["password"].widget.attrs["autofocus"] = True


class _CodeOnce(forms.Form):
    """A code works once in all of the time in which it is valid; allauth remembers it for one step only."""

    user: Any  # any: set by allauth's form

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        _plain(self.fields["code"], "Code")
        self.fields["code"].widget.attrs |= {"autofocus": True, "inputmode": "numeric"}

    def clean_code(self) -> str:
        code = str(super().clean_code())  # type: ignore[misc]  # allauth's form comes next in line
        used = keyring().blind(f"{self.user.pk}:{code}", "used code").hex()
        seconds = (2 * settings.MFA_TOTP_TOLERANCE + 1) * 30
        if not cache.add(f"code:{used}", 1, timeout=seconds):
            raise get_adapter().validation_error("incorrect_code")
        return code


class CodeForm(_CodeOnce, AuthenticateForm):
    pass


class CodeAgainForm(_CodeOnce, ReauthenticateForm):
    pass


class AppForm(ActivateTOTPForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        _plain(self.fields["code"], "Code")
        self.fields["code"].widget.attrs["inputmode"] = "numeric"


class PasskeyForm(AddWebAuthnForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        self.fields["name"].label = "Name, to tell your keys apart"
        self.fields["passwordless"].label = "Sign in with this key alone, without a password"
        self.fields["passwordless"].help_text = "The device asks for your finger, face or PIN each time."
        if not self.user.has_usable_password():
            self.fields["passwordless"].disabled = True
            self.fields["passwordless"].help_text = DIRECTORY_FIRST


class KeyAloneForm(LoginWebAuthnForm):
    def clean_credential(self) -> Authenticator:
        """A key alone would let somebody in whom the directory has long removed, whatever the key's form said."""
        key: Authenticator = super().clean_credential()
        if not key.user.has_usable_password():
            raise forms.ValidationError(DIRECTORY_FIRST)
        return key


class RenameKeyForm(EditWebAuthnForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        _plain(self.fields["name"], "Name, to tell your keys apart")
