from enum import StrEnum


class ResultState(StrEnum):
    AMENDED = "amended"
    NONE = "none"
    PROBLEM = "problem"
    RECEIVED_FILE_PENDING = "received_file_pending"
    RESULTED = "resulted"

    def __str__(self) -> str:
        return str(self.value)
