"""How far a measured configuration may be off, and what is raised if it is further."""

from __future__ import annotations

SPIKES_OFF = 1e-3
"""Of all spikes, float32 against float64: rounding decides about those that graze the threshold. In float64: none."""

FLOAT32_GRADIENTS = 1e-3
"""Of the median neuron: some hundred u32 for its well-conditioned spikes, and some that graze; see `precision`."""

FLOAT64_GRADIENTS = 1e-9
"""Two ways through the kernels: as far apart as `reference` and `fast` may be at a kappa of 1e-5."""

IDENTITIES = 1e-9
"""Rounding leaves 1e-12 at most (`tests/support/tolerances.py`); a fault of 0.1 % some 1e-5."""

SPIKE_TIMES = 1e-6
"""ms, of a neuron followed event by event: rounding, 1e-13 a spike, times what a chain of spikes makes of it."""

READOUTS = 1e-9
"""Relative, of a largest voltage: a sum of some thousand terms."""

FINITE_DIFFERENCES = 1e-5
"""Relative: what curvature and rounding leave of a difference of losses at the best step."""


class Disagreement(Exception):
    """The configuration is not computed right; the message says what failed and by how much."""


def limit(name: str, error: float, allowed: float) -> None:
    """Refuse an error that is larger than allowed, or no number.

    Raises:
        Disagreement: it is.
    """
    if not error <= allowed:
        raise Disagreement(f"{name}: error {error:.1e}, allowed {allowed:.0e}")
