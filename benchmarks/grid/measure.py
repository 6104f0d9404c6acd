"""The effect of a grid on gradients: errors, angles and spikes kept, at every step size.

Errors are those of a network's whole gradient by weights, or by delays: the Euclidean norm of the
difference over the norm of the exact gradient (`reference`). The cosine of a gradient of 0 is 0.
"""

from collections.abc import Sequence

import numpy as np

from benchmarks.grid.forward import flat, forward
from benchmarks.grid.losses import driven
from benchmarks.grid.networks import Drawn, drawn, norm, vector
from benchmarks.grid.stepped import backward, results
from delayprop.reference.arithmetic import FLOAT64
from delayprop.reference.readouts import drive
from delayprop.reference.simulate import simulate
from delayprop.spec import Case, Result

DTS = tuple(2.0**-n for n in range(9))  # ms: 1 to 1/256


def measured(kind: str, loss: str, where: str, seeds: Sequence[int], dts: Sequence[float] = DTS) -> list[dict]:
    """One record per network.

    Each holds `seed`, `redrawn`, `spikes` (exact), `kappa_min`, `pinned` (whether the loss reads a
    maximum that an inhibitory arrival makes). Lists hold one number per step size: `error_w`,
    `error_d`, `cosine_w`, `cosine_d`, `falling` (spikes whose stored slope is negative). Texts hold
    one digit per step size, 1 for yes: `kept` (all spike counts are right), `ordered` (and all
    spikes are in the right order).
    """
    networks = [drawn(kind, loss, where, seed) for seed in seeds]
    records = [_exact(network) for network in networks]
    arrays = flat([network.case for network in networks])
    first = [min(at.values()) for at in arrays.neuron_at]
    for dt in dts:
        trace = forward(arrays, dt)
        acting = driven(arrays, trace)
        found = results(arrays, trace, acting, *backward(arrays, trace, acting))
        falling = np.add.reduceat(np.count_nonzero(trace.I_minus_V < 0, axis=0), first)
        for network, record, result, wrong in zip(networks, records, found, falling.tolist(), strict=True):
            _compare(network.exact, result, record)
            record["falling"].append(wrong)
    return records


def _exact(network: Drawn) -> dict:
    exact = network.exact
    columns = ("error_w", "error_d", "cosine_w", "cosine_d", "falling")
    spikes = sum(len(train) for trains in exact.spikes.values() for train in trains)
    kappa_min = None if exact.kappa_min is None else float(f"{exact.kappa_min:.3g}")
    return {
        "seed": network.seed, "redrawn": network.redrawn, "spikes": spikes, "kappa_min": kappa_min,
        "pinned": pinned(network.case), "kept": "", "ordered": "", **{column: [] for column in columns},
    }


def pinned(case: Case) -> bool:
    """Whether the loss reads a maximum that inhibitory arrivals make."""
    maxima = drive(FLOAT64, case, simulate(FLOAT64, case)).maxima
    return any(maximum.pinned is not None for maximum in maxima.values())


def _compare(exact: Result, found: Result, record: dict) -> None:
    for which in ("w", "d"):
        true, other = vector(exact, which), vector(found, which)
        size, length = norm(exact, which), float(np.linalg.norm(other))
        record[f"error_{which}"].append(float(f"{np.linalg.norm(other - true) / size:.3g}"))
        record[f"cosine_{which}"].append(round(float(true @ other) / (size * length), 4) if length else 0.0)
    kept, ordered = same_spikes(exact, found)
    record["kept"] += str(int(kept))
    record["ordered"] += str(int(ordered))


def same_spikes(exact: Result, found: Result) -> tuple[bool, bool]:
    """Whether all spike counts agree; and, if so, whether the orders of all spikes agree."""
    pairs = [(a, b) for name in exact.spikes for a, b in zip(exact.spikes[name], found.spikes[name], strict=True)]
    if any(len(a) != len(b) for a, b in pairs):
        return False, False
    true, other = (np.concatenate([pair[n] for pair in pairs]) for n in range(2))
    return True, bool(np.all(np.diff(other[np.argsort(true, kind="stable")]) >= 0))
