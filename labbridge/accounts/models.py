from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from labbridge.accounts.roles import Role
from labbridge.practices.models import Practice
from labbridge.trust.fields import SealedTextField
from labbridge.trust.ids import new_id


class Membership(models.Model):
    """What a person is at one practice."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    practice = models.ForeignKey(Practice, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role.choices)
    rupa_email = models.EmailField(blank=True, default="")  # the practitioner at Rupa to order with
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["practice__slug", "user__username"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "practice"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.role} of {self.practice.slug}"


class DirectorySignIn(models.Model):
    """One journey to a practice's Caspio directory and back (SAML): asked once, answered once, used once."""

    LIFE: ClassVar = timedelta(minutes=10)  # from question to answer
    USE_WITHIN: ClassVar = timedelta(minutes=2)  # from answer to session: one redirect
    KEPT: ClassVar = timedelta(days=1)

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    practice = models.ForeignKey(Practice, on_delete=models.CASCADE)
    request_id = models.CharField(max_length=80, unique=True)  # what the answer's InResponseTo must name
    next = models.CharField(max_length=2000, default="")
    fresh = models.BooleanField(default=False)  # the directory was asked for the password again (step-up)
    started_at = models.DateTimeField(default=timezone.now, db_index=True)
    answered_at = models.DateTimeField(null=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE)
    two_factor = models.BooleanField(default=False)
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"directory sign-in {self.pk}"

    def answerable(self, now: datetime) -> bool:
        return self.answered_at is None and now - self.started_at < self.LIFE

    def usable(self, now: datetime) -> bool:
        answered = self.answered_at
        return answered is not None and self.used_at is None and now - answered < self.USE_WITHIN


class SigningKey(models.Model):
    """The key with which we sign our questions to a practice's directory. Made at first use."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    practice = models.OneToOneField(Practice, on_delete=models.CASCADE)
    certificate = models.TextField()
    private_key = SealedTextField()
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"signing key of {self.practice.slug}"

    @property
    def sealed_for(self) -> uuid.UUID:
        return self.practice_id
