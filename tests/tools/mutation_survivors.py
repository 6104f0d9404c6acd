"""Reasons for the mutants of the adjoints that survive; each survivor of the record needs one.

A reason that begins with "equivalent" means that the mutant computes the same; such mutants are not
counted. The others could be noticed by cases that the checks lack.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

GUARD = "a guard of slopes that round to 0, where the gradient is refused; no slope does in these cases"
NO_EVENT = "equivalent: any number below 0 says that there is no event"
PINNED = "shows only where a maximum is pinned to an arrival in a bin that has another own event; no case has that"

REASONS: dict[tuple[str, str], str] = {
    ("reference/adjoint.py", "if event.Vdot_minus <= -1:"): GUARD,
    ("reference/adjoint.py", "if event.Vdot_minus == 0:"): GUARD,
    ("reference/adjoint.py", "if event.Vdot_minus < 0:"): GUARD,
    ("reference/adjoint.py", 'if self.case.network.population(name).kind >= "lif":'): (
        "equivalent: neurons are `li` or `lif`, and `li` sorts before"
    ),
    ("reference/adjoint.py",
     "connections = tuple(ConnectionGradient(w, d) for w, d in zip(self.dL_dw, self.dL_dd, strict=False))"): (
        "equivalent: both lists are made of the same connections"
    ),
    ("fast/physics/adjoint.py",
     "e, here, x = events.first[slot + lane], - 2, float(at.end) if bin_ == at.last else 1.0"): NO_EVENT,
    ("fast/physics/adjoint.py",
     "e, here, x = events.first[slot + lane], -1, float(at.end) if bin_ >= at.last else 1.0"): (
        "equivalent: no bin comes after the last"
    ),
    ("fast/physics/adjoint.py", "if rest >= events.rest[e]:"): PINNED,
    ("fast/physics/adjoint.py",
     "e, here, x = events.first[slot + lane], not 1, float(at.end) if bin_ == at.last else 1.0"): PINNED,
    ("fast/cpu/backward.py", "most, e_first = -1, 0"): "equivalent: the largest of numbers that are at least 0",
    ("fast/cpu/backward.py", "most, e_first = max(most, e_last + e_first), e_last"): (
        "equivalent: more room than is used"
    ),
    ("fast/cpu/backward.py",
     "if bin_ >= at.last and kept[MAX_REST, lane] == at.end and kept[MAX_GROUP, lane] == 0.0:"): (
        "equivalent: no bin comes after the last"
    ),
    ("fast/cpu/backward.py",
     "if bin_ == at.last or kept[MAX_REST, lane] == at.end and kept[MAX_GROUP, lane] == 0.0:"): (
        "shows only where a maximum lies in the last bin, but not at its end; no case has that"
    ),
    ("fast/cpu/backward.py", "marked, position, solved, events, e_last * e_first,"): (
        "shows only where one neuron of a block spikes in the bins in which another's maximum is read; no case has that"
    ),
    ("fast/cpu/lookup.py", "any_special = 1"): "equivalent: each is looked up once more, and none is special",
}


def reason(mutant: Mapping[str, Any]) -> str:
    """The reason of a survivor, or an empty text."""
    return REASONS.get((mutant["file"], mutant["after"]), "")
