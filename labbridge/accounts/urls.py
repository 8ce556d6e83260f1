"""The addresses of signing in: only those that are wanted; no sign-up, no e-mail pages, no reset by e-mail."""

from __future__ import annotations

from allauth.account import views as account
from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes import views as recovery
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as webauthn
from django.urls import path

from labbridge.accounts import directory, views

urlpatterns = [
    path("sign-in", views.SignIn.as_view(), name="sign-in"),
    path("sign-in", views.SignIn.as_view(), name="account_login"),
    path("sign-out", account.logout, name="sign-out"),
    path("sign-out", account.logout, name="account_logout"),
    path("accounts/inactive", account.account_inactive, name="account_inactive"),
    path("accounts/confirm", account.reauthenticate, name="account_reauthenticate"),
    path("accounts/password", account.password_change, name="account_change_password"),
    path("accounts/", views.Proofs.as_view(), name="mfa_index"),
    path("accounts/continue", views.go_on, name="continue"),
    path("accounts/here", views.here, name="here"),
    path("accounts/code", views.EnterCode.as_view(), name="mfa_authenticate"),
    path("accounts/confirm/code", mfa.reauthenticate, name="mfa_reauthenticate"),
    path("accounts/app/add", views.SetUpApp.as_view(), name="mfa_activate_totp"),
    path("accounts/app/remove", totp.deactivate_totp, name="mfa_deactivate_totp"),
    path("accounts/recovery", recovery.view_recovery_codes, name="mfa_view_recovery_codes"),
    path("accounts/recovery/new", recovery.generate_recovery_codes, name="mfa_generate_recovery_codes"),
    path("accounts/recovery/download", recovery.download_recovery_codes, name="mfa_download_recovery_codes"),
    path("accounts/passkeys", webauthn.list_webauthn, name="mfa_list_webauthn"),
    path("accounts/passkeys/add", views.SetUpPasskey.as_view(), name="mfa_add_webauthn"),
    path("accounts/passkeys/sign-in", webauthn.login_webauthn, name="mfa_login_webauthn"),
    path("accounts/passkeys/<int:pk>/remove", views.RemovePasskey.as_view(), name="mfa_remove_webauthn"),
    path("accounts/passkeys/<int:pk>/edit", webauthn.edit_webauthn, name="mfa_edit_webauthn"),
    path("accounts/confirm/passkey", webauthn.reauthenticate_webauthn, name="mfa_reauthenticate_webauthn"),
    path("accounts/saml/<slug:slug>/metadata", directory.metadata, name="directory-metadata"),
    path("accounts/saml/<slug:slug>/login", directory.start, name="directory-sign-in"),
    path("accounts/saml/<slug:slug>/acs", directory.answer, name="directory-answer"),
    path("accounts/saml/<slug:slug>/finish/<uuid:journey_id>", directory.finish, name="directory-finish"),
]
