"""How far a gradient is from the true one, block by block.

A block is one kind of parameter of one connection or population. Its error is the Euclidean norm of the difference,
relative to the norm of the block. A whole block may vanish exactly (shift the one arrival at a neuron whose interior
maximum is read, and nothing changes), so a thousandth of the whole gradient's norm is added to the norm of the block.
"""

from __future__ import annotations

import math

import mpmath
import numpy as np

from spec import Case, Gradients

FLOOR = 1e-3
UNIT_ROUNDOFF = 2.0**-53


def gradient_limit(
    kappa_min: float | None, unit_roundoff: float = UNIT_ROUNDOFF, well_conditioned: float = 1e-10
) -> float:
    """The error allowed: rounding grows as spikes graze the threshold."""
    return max(well_conditioned, 0.0 if kappa_min is None else 100 * unit_roundoff / kappa_min)


def block_errors(case: Case, found: Gradients, true: Gradients) -> dict[str, float]:
    """The relative error of each block; infinite if a number is missing or not finite."""
    with mpmath.workdps(60):
        expected = gradient_blocks(case, true)
        floor = FLOOR * _norm([number for block in expected.values() for number in block])
        errors = {}
        for name, block in gradient_blocks(case, found).items():
            if len(block) != len(expected[name]) or not all(mpmath.isfinite(number) for number in block):
                errors[name] = math.inf
                continue
            difference = _norm([a - b for a, b in zip(block, expected[name], strict=True)])
            scale = _norm(expected[name]) + floor
            errors[name] = float(difference / scale) if scale else (math.inf if difference else 0.0)
        return errors


def gradient_blocks(case: Case, gradients: Gradients) -> dict[str, list[mpmath.mpf]]:
    """The numbers of each block, by name; entries where no synapse is are left out."""
    blocks: dict[str, list[mpmath.mpf]] = {}
    for c, (connection, gradient) in enumerate(zip(case.network.connections, gradients.connections, strict=True)):
        blocks[f"connections[{c}].weights"] = _numbers(gradient.dL_dw[connection.exists])
        blocks[f"connections[{c}].delays"] = _numbers(gradient.dL_dd[connection.exists])
    for name, constants in gradients.populations.items():
        for constant in ("tau_mem", "tau_syn", "v_th", "v_reset"):
            values = getattr(constants, f"dL_d{constant}")
            if values is not None:
                blocks[f"{name}.{constant}"] = _numbers(values)
    for name, trains in gradients.inputs.items():
        blocks[f"inputs.{name}"] = [number for train in trains for number in _numbers(train)]
    return blocks


def _numbers(values: np.ndarray) -> list[mpmath.mpf]:
    return [mpmath.mpf(value) for value in np.asarray(values).tolist()]


def _norm(numbers: list[mpmath.mpf]) -> mpmath.mpf:
    return mpmath.sqrt(mpmath.fsum(number * number for number in numbers))
