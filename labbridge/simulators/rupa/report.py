"""What a lab sends for one ordered test: the facts that both the PDF and the HL7 text are made of."""

from dataclasses import dataclass

from labbridge.simulators.rupa.panels import Observation


@dataclass(frozen=True)
class Report:
    """One version of one test's result. Patient and practitioner are invented; dates are ISO."""

    lab: str
    test: str
    title: str
    specimen: str
    accession: str
    order_id: str
    ordered_test_id: str
    patient_id: str
    patient_last: str
    patient_first: str
    birthday: str
    gender: str
    practitioner: str
    collected_at: str
    reported_at: str
    version: int
    observations: list[Observation]

    @property
    def corrected(self) -> bool:
        return self.version > 1
