"""The shapes that Caspio's v3 document describes, in our spelling, out of their `Result` envelopes."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic import Field as Key
from pydantic.alias_generators import to_pascal

Row = dict[str, Any]
"""One record by field names. Any: a cell is text, number, truth, null, or an object for LIST fields."""


class FieldType(StrEnum):
    """REST names of the data types (caspio-api.md 3.5)."""

    STRING = "STRING"
    TEXT = "TEXT"
    PASSWORD = "PASSWORD"  # noqa: S105 - a type's name
    NUMBER = "NUMBER"
    INTEGER = "INTEGER"
    CURRENCY = "CURRENCY"
    DATE_TIME = "DATE/TIME"
    YES_NO = "YES/NO"
    FILE = "FILE"
    ATTACHMENT = "ATTACHMENT"
    AUTONUMBER = "AUTONUMBER"
    PREFIXED_AUTONUMBER = "PREFIXED AUTONUMBER"
    RANDOM_ID = "RANDOM ID"
    GUID = "GUID"
    TIMESTAMP = "TIMESTAMP"
    LIST_STRING = "LIST-STRING"
    LIST_NUMBER = "LIST-NUMBER"
    LIST_DATE_TIME = "LIST-DATE/TIME"

    @classmethod
    def of(cls, text: str) -> FieldType | None:
        """The type meant by a spelling with other blanks, `_` or case; None when it is not known."""
        return _BY_LETTERS.get(_letters(text))


def _letters(text: str) -> str:
    return "".join(filter(str.isalpha, text)).upper()


_BY_LETTERS = {_letters(kind): kind for kind in FieldType}

MADE_BY_CASPIO = frozenset(
    {
        FieldType.AUTONUMBER,
        FieldType.PREFIXED_AUTONUMBER,
        FieldType.RANDOM_ID,
        FieldType.GUID,
        FieldType.TIMESTAMP,
    }
)
MUST_BE_UNIQUE = MADE_BY_CASPIO - {FieldType.TIMESTAMP}  # or the create call fails (caspio-api.md 2.1)


class Wire(BaseModel):
    """Caspio writes `UniqueAllowNulls` where we write `unique_allow_nulls`. Unknown keys are let be."""

    model_config = ConfigDict(
        alias_generator=to_pascal,
        populate_by_name=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    def wire(self) -> dict[str, Any]:  # Any: JSON for the request's body
        """What was set, in Caspio's spelling; what was left alone is not sent."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class FieldSettings(Wire):
    """What the reading and the writing shape of a field share."""

    name: str
    type: str
    unique: bool | None = None
    unique_allow_nulls: bool | None = None
    label: str | None = None
    description: str | None = None
    display_order: int | None = None
    on_insert: bool | None = None
    on_update: bool | None = None
    time_zone: str | None = None  #: Windows zone id, TIMESTAMP only
    format: str | None = None
    prefix: str | None = None
    length: int | None = None
    is_formula: bool | None = None

    @property
    def kind(self) -> FieldType | None:
        return FieldType.of(self.type)


class Field(FieldSettings):
    """A field as `/fields` describes it; PK_ID is never among them (caspio-api.md 2.1)."""

    editable: bool | None = None
    list_field: dict[str, Any] | list[Any] | None = None  # Any: labels are text, numbers or dates

    @property
    def writable(self) -> bool:
        """May stand in a row that we insert or update (the rule of Caspio's own node, caspio-api.md 3.5)."""
        special = {FieldType.ATTACHMENT, FieldType.PASSWORD}
        return not (
            self.editable is False
            or self.is_formula
            or self.kind in MADE_BY_CASPIO | special
            or self.name.startswith(("PK_", "_"))
            or self.name == "UserGUID"
        )


class NewField(FieldSettings):
    """A field to create. Raises ValueError for names and settings that Caspio would refuse."""

    list_field: list[str] | None = None
    attachment_permitted_file_types: list[str] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_new_name(self.name)
        if self.kind is None:
            raise ValueError("not one of Caspio's data types")
        if self.kind in MUST_BE_UNIQUE and not self.unique:
            raise ValueError(f"{self.name}: {self.kind} must be created as unique")
        if self.unique and self.kind in (FieldType.TEXT, FieldType.YES_NO):
            raise ValueError(f"{self.name}: {self.kind} cannot be unique")
        return self


def check_new_name(name: str) -> str:
    """Table and field names: a letter, then letters, digits, _, at most 32 (caspio-api.md 3.5)."""
    if not (name.isascii() and name.isidentifier() and name[0].isalpha() and len(name) <= 32):
        raise ValueError("a new name is a letter, then letters, digits and _, at most 32 characters")
    return name


class Directory(Wire):
    id: str
    name: str = ""
    number_of_users: int = 0


class Webhook(Wire):
    """An outgoing webhook. `secret` is told once, by the answer that creates it (caspio-api.md 2.8)."""

    id: str
    name: str | None = None
    status: str | None = None
    description: str | None = None
    outgoing_urls: list[str] | None = None
    call_throttling: int | None = None
    secret: str | None = Key(default=None, repr=False)
    messages: int | None = None  #: in 30 days, when asked for one webhook
    calls: int | None = None
    errors: int | None = None

    @property
    def active(self) -> bool:
        return (self.status or "Active").lower() == "active"


class WebhookChange(Wire):
    """The body that creates or changes a webhook. Names and addresses are unique in an account."""

    name: str | None = None
    description: str | None = None
    outgoing_urls: list[str] | None = None
    call_throttling: int | None = None
    enabled: bool | None = None


class EventType(StrEnum):
    INSERT = "table.recordInsert"
    UPDATE = "table.recordUpdate"
    DELETE = "table.recordDelete"


class WebhookEvent(Wire):
    id: str
    type: str
    status: str | None = None
    object_name: str | None = None
    object_fields: list[str] | None = None
    event_sources: list[str] | None = None
    custom_payload_fields: list[str] | None = None
    messages: int | None = None
    calls: int | None = None
    errors: int | None = None

    @property
    def active(self) -> bool:
        return (self.status or "Active").lower() == "active"


class NewWebhookEvent(Wire):
    """What a webhook listens to. `object_fields` is for updates only (caspio-api.md 2.8)."""

    event_type: EventType
    object_name: str
    object_fields: list[str] | None = None
    event_sources: list[str] | None = None
    custom_payload_fields: list[str] | None = None
    enabled: bool | None = None


class FileItem(Wire):
    """A file in the account's Files area. An upload answers with name and key only."""

    name: str
    external_key: UUID
    size: int | None = None
    content_type: str | None = None


class AttachmentInfo(Wire):
    """The file on a row; the name and its extension are told apart (caspio-api.md 2.4)."""

    pk_id: int = Key(alias="PK_ID")
    file_name: str | None = None
    file_type: str | None = None
    size: int | None = None
    date_created: str | None = None
    date_updated: str | None = None
