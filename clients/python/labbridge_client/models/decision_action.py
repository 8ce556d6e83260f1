from enum import StrEnum


class DecisionAction(StrEnum):
    ASK_PATIENT = "ask_patient"
    CHOOSE_ANOTHER = "choose_another"
    CREATE = "create"
    LINK = "link"
    NOT_THE_SAME = "not_the_same"
    USE_CASPIO = "use_caspio"
    USE_RUPA = "use_rupa"

    def __str__(self) -> str:
        return str(self.value)
