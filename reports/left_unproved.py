"""Where the evidence stops, with numbers where there are any."""

from __future__ import annotations

from fast.drawing.markup import heading, table
from reports.cards import reasons
from reports.record import NOT_RUN, Verification

KNOWN = (
    ("order of events", "The gradient is exact at a fixed order of events. It knows nothing of spikes that are about "
     "to appear or vanish: the loss may jump there."),
    ("grazing", "Where a voltage hardly reaches its threshold the gradient diverges, and rounding with it. Each spike "
     "reports its conditioning kappa; nothing is clipped, and no spike is refused for it."),
    ("chains of grazing spikes", "Several such spikes in a row condition worse than the smallest kappa says. "
     "Searches over thousands of networks find some that exceed the limit of agreement for that reason, in both "
     "implementations."),
    ("ties", "At a tie the derivative is one-sided, on the side that the specification names."),
    ("float32", "May lose or gain a spike very near to grazing."),
    ("size", "Networks that are held against many digits are small, some neurons and some hundred spikes. Larger ones "
     "are held against the identities, against float64, and neuron by neuron (benchmarks)."),
    ("one machine", "Figures are those of one machine and one set of versions, named at the end."),
)


def limits(record: Verification) -> list[str]:
    """The chapter of the page: what is known, and what did not run."""
    rows = [list(row) for row in KNOWN]
    missing = [check for check in record.checks if check["status"] == NOT_RUN]
    rows += [[f"check {one['number']}", f"{one['title']}: did not run. {' '.join(reasons(one))}"] for one in missing]
    return [heading("Where it stops"), table(("", ""), rows)]
