"""Model fields whose values are sealed before they reach the database and opened on first use."""

from __future__ import annotations

from typing import Any

import orjson
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from labbridge.trust import envelope
from labbridge.trust.keys import CannotOpen


class ContentRemoved(CannotOpen):
    """The value was emptied by retention or erasure. Its row stays."""


class Sealed(bytes):
    """Bytes as they lie in the database."""

    __slots__ = ()


def place(table: str, column: str, key: object) -> bytes:
    """Where a sealed value lies; it opens nowhere else."""
    return f"{table}.{column}:{key}".encode()


class _Opened:
    """Opens a sealed value when it is first read, so that lists of rows cost nothing."""

    def __init__(self, field: SealedField) -> None:
        self.field = field

    def __get__(
        self, instance: models.Model | None, owner: type[models.Model]
    ) -> Any:  # any: JSON, text or bytes
        if instance is None:
            return self
        if self.field.attname not in instance.__dict__:  # left out of the query that read this row
            instance.refresh_from_db(fields=[self.field.attname])
        value = instance.__dict__[self.field.attname]
        if isinstance(value, Sealed):
            if not value:
                raise ContentRemoved("This content was removed, as the practice's retention policy says.")
            value = self.field.unpack(envelope.open_value(value, self.field.place(instance)))
            instance.__dict__[self.field.attname] = value
        return value

    def __set__(self, instance: models.Model, value: Any) -> None:
        instance.__dict__[self.field.attname] = value


class SealedField(models.BinaryField):  # type: ignore[type-arg]  # Django's class takes no arguments at run time
    """Bytes. The row's key must be known before the first save, so such models use a UUID key.

    A model's `sealed_for` names whose data key seals its values: a chart's, a patient's or a practice's id. None, or
    no such attribute: the deployment's own key.
    """

    def contribute_to_class(self, cls: type[models.Model], name: str, private_only: bool = False) -> None:
        super().contribute_to_class(cls, name, private_only)
        setattr(cls, self.attname, _Opened(self))

    def place(self, instance: models.Model) -> bytes:
        if instance.pk is None:
            raise ValueError(f"{instance._meta.label} needs its key before {self.name} can be sealed")
        return place(instance._meta.db_table, str(self.column), instance.pk)

    def pack(self, value: Any) -> bytes:
        return bytes(value)

    def unpack(self, plain: bytes) -> Any:
        return plain

    def from_db_value(self, value: Any, _expression: Any, _connection: BaseDatabaseWrapper) -> Sealed | None:
        return None if value is None else Sealed(bytes(value))

    def pre_save(self, model_instance: models.Model, add: bool) -> Sealed | None:  # noqa: ARG002  # Django's shape
        value = model_instance.__dict__.get(self.attname)
        if value is None or isinstance(value, Sealed):
            return value
        owner = getattr(model_instance, "sealed_for", None)
        return Sealed(envelope.seal(self.pack(value), self.place(model_instance), owner))

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:
        if value is not None and not isinstance(value, Sealed):
            raise TypeError(f"{self.name} is sealed: save it through its row, not by filter or update()")
        return super().get_db_prep_value(value, connection, prepared)

    def value_to_string(self, obj: models.Model) -> str:  # noqa: ARG002  # Django's shape
        raise TypeError(f"{self.name} is sealed and is not serialised")


class SealedTextField(SealedField):
    """Text. "" and None are stored as they are meant: None as NULL, "" sealed."""

    def pack(self, value: Any) -> bytes:
        return str(value).encode()

    def unpack(self, plain: bytes) -> str:
        return plain.decode()


class SealedJSONField(SealedField):
    """A JSON document."""

    def pack(self, value: Any) -> bytes:
        return orjson.dumps(value)

    def unpack(self, plain: bytes) -> Any:
        return orjson.loads(plain)
