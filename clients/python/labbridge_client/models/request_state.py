from enum import StrEnum


class RequestState(StrEnum):
    EXPIRED = "expired"
    FAILED = "failed"
    ORDERED = "ordered"
    READY = "ready"
    RECEIVED = "received"

    def __str__(self) -> str:
        return str(self.value)
