from enum import StrEnum


class CaseState(StrEnum):
    DECIDED = "decided"
    OPEN = "open"
    UNDONE = "undone"

    def __str__(self) -> str:
        return str(self.value)
