"""The timed step against the float64 step of its network: spike counts, whole blocks of gradients.

A float32 step has float32 weights, delays and gradients, and sweeps forward in float64
(`fast.solving.problem`). So it has every spike of the float64 step with the same weights.
"""

import torch

from benchmarks.step import Step

BLOCKS = {"float32": 1e-5, "float64": 1e-9}
"""Norm of a block's error, relative to that of the block. In float32 the sweep back rounds, some
`u` per block, and more where terms cancel. In float64 the step is compared with a step that takes
another path through the kernels."""
WRONG = 1  # the exit code of a command that finds a wrong result


class Disagreement(Exception):
    """The configuration is not computed right; the message names the check and the error."""

    def __str__(self) -> str:
        return f"{super().__str__()}; no speed is printed for a wrong result"


def limit(name: str, error: float, allowed: float) -> None:
    """Refuse an error that is larger than allowed, or NaN; `Disagreement`: the error is refused."""
    if not error <= allowed:
        raise Disagreement(f"{name}: error {error:.1e}, allowed {allowed:.0e}")


def precision(timed: Step, true: Step, dtype: str) -> dict[str, float]:
    """The relative error of each block of gradients of a step, `w[n]` and `d[n]` of connection n.

    `Disagreement`: other spike counts, no spikes, or a larger error than the precision explains.
    """
    if not any(len(train.times) for train in true.trains):
        raise Disagreement("no neuron spikes, so nothing is compared")
    for n, (found, expected) in enumerate(zip(timed.trains, true.trains, strict=True)):
        off = (found.counts() - expected.counts()).abs()
        if bool(off.any()):
            trial, neuron = off.nonzero()[0].tolist()
            where = f"population {n}, trial {trial}, neuron {neuron}"
            raise Disagreement(f"{int(off.sum())} spikes off against float64, of {len(expected.times)}; first {where}")
    errors = {name: relative(timed.gradients[name], expected) for name, expected in true.gradients.items()}
    for name, error in errors.items():
        limit(f"gradient of {name} against float64", error, BLOCKS[dtype])
    return errors


def relative(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Norm of the error over that of the expected block; 0 if both are 0."""
    norm, off = float(expected.norm()), float((found - expected).norm())
    return off / norm if norm > 0 else (0.0 if off == 0 else float("inf"))
