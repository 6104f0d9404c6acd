"""The number of networks that tests draw: ordinary, or fewer or more for a report."""

import os

FACTORS = {"quick": 0.1, "ordinary": 1.0, "full": 2.0}
EFFORT = os.environ.get("DELAYPROP_EFFORT", "ordinary")
if EFFORT not in FACTORS:
    raise ValueError(f"`DELAYPROP_EFFORT` must be one of {', '.join(FACTORS)}, got {EFFORT}")


def many(ordinary: int, least: int = 1) -> int:
    """The ordinary number times the factor of the effort, at least `least`."""
    return max(least, round(ordinary * FACTORS[EFFORT]))
