from enum import StrEnum


class HealthStatus(StrEnum):
    ATTENTION = "attention"
    WELL = "well"

    def __str__(self) -> str:
        return str(self.value)
