"""Patient identity: is this patient of Caspio that patient of Rupa? Pure functions; docs/matching.md has the rules.

patient = normalise(row, today=today)
decision = decide(patient, [Candidate("pat_1", normalise(theirs, today=today))])
"""

from labbridge.matching.compare import Comparison, compare
from labbridge.matching.decide import Action, Candidate, Decision, decide, match_back
from labbridge.matching.evidence import Reason
from labbridge.matching.identity import Identity, Problem
from labbridge.matching.normalise import normalise
from labbridge.matching.ways import WayOut

__all__ = [
    "Action",
    "Candidate",
    "Comparison",
    "Decision",
    "Identity",
    "Problem",
    "Reason",
    "WayOut",
    "compare",
    "decide",
    "match_back",
    "normalise",
]
