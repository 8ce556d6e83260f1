from enum import StrEnum


class CaseKind(StrEnum):
    IDENTITY = "identity"
    VALUES = "values"

    def __str__(self) -> str:
        return str(self.value)
