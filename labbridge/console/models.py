from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from labbridge.trust.fields import SealedJSONField
from labbridge.trust.ids import new_id


class SavedView(models.Model):
    """A choice of filters that a person gave a name. It holds words of ours and ids, no patient data."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=500)  # of the pipeline's address
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "name"], name="saved_view_once")]

    def __str__(self) -> str:
        return f"view {self.pk}"


class SetupDraft(models.Model):
    """What the first person has said so far of the practice that does not exist yet. It is gone with the first apply.

    It holds the Caspio account's credentials, so it is sealed, with the deployment's own key.
    """

    KEPT: ClassVar = timedelta(days=30)

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    said = SealedJSONField(default=dict)
    changed_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"draft {self.pk}"

    def add(self, **more: Any) -> None:  # any: JSON
        self.said = {**self.said, **more}
        self.save()
