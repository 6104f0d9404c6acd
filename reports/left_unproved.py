"""The limits of the evidence, with numbers where they exist."""

from __future__ import annotations

from delayprop.fast.drawing.markup import heading, table
from reports.cards import reasons
from reports.record import NOT_RUN, Verification

KNOWN = (
    ("order of events", "The gradient is exact for a fixed order of events. It excludes spikes that are about to "
     "appear or vanish; the loss may jump there."),
    ("grazing", "Where a voltage barely reaches its threshold the gradient diverges, and rounding with it. Each spike "
     "reports its conditioning kappa. Nothing is clipped, and no spike is refused."),
    ("chains of grazing spikes", "Several grazing spikes in a row are conditioned worse than the smallest kappa "
     "predicts. Searches over thousands of networks find some that exceed the limit of agreement for that reason, in "
     "both implementations."),
    ("ties", "At a tie the derivative is one-sided; the specification names the side."),
    ("float32", "A spike very near to grazing may be lost or gained."),
    ("size", "Networks compared with many digits are small: some neurons and some hundred spikes. Larger networks are "
     "compared with the identities, with float64, and neuron by neuron (benchmarks)."),
    ("one machine", "The numbers are those of one machine and one set of versions, named at the end."),
)


def limits(record: Verification) -> list[str]:
    """The chapter of the page: known limits, and checks that did not run."""
    missing = [check for check in record.checks if check["status"] == NOT_RUN]
    not_run = [(f"check {one['number']}", f"{one['title']}: did not run. {' '.join(reasons(one))}") for one in missing]
    return [heading("Limits"), table(("", ""), (*KNOWN, *not_run))]
