"""The errors that a timed configuration may have, and the exception for a larger one."""

SPIKES_OFF = 1e-3  # share of spikes that float32 may lose or gain, since they graze; float64 none
FLOAT32_GRADIENTS = 1e-3  # of the median neuron: some hundred u32, plus errors of grazing spikes; see `precision`
FLOAT64_GRADIENTS = 1e-9  # between two paths through the kernels: as `reference` and `fast` at kappa 1e-5
IDENTITIES = 1e-12  # as `identity` of `tests/support/tolerances.py`; a fault of 0.1 % leaves some 1e-5
SPIKE_TIMES = 1e-6  # ms, of a neuron followed event by event: rounding, 1e-13 per spike, amplified along a train
READOUTS = 1e-9  # relative, of a largest voltage: a sum of some thousand terms
FINITE_DIFFERENCES = 1e-5  # relative: curvature and rounding in a difference of losses at the best step
WRONG = 1  # the exit code of a command that finds a wrong result


class Disagreement(Exception):
    """The configuration is not computed right; the message names the check and the error."""

    def __str__(self) -> str:
        return f"{super().__str__()}; no speed is printed for a wrong result"


def limit(name: str, error: float, allowed: float) -> None:
    """Refuse an error that is larger than allowed, or NaN; `Disagreement`: the error is refused."""
    if not error <= allowed:
        raise Disagreement(f"{name}: error {error:.1e}, allowed {allowed:.0e}")
