from enum import StrEnum


class Phase(StrEnum):
    AWAITING_PAYMENT = "awaiting_payment"
    CANCELED = "canceled"
    COMPLETE = "complete"
    DRAFT = "draft"
    IN_PROGRESS = "in_progress"
    PARTIAL_RESULTS = "partial_results"
    UNKNOWN = "unknown"

    def __str__(self) -> str:
        return str(self.value)
