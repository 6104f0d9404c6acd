"""`python -m benchmarks.grid`: the gradients of small networks on a grid, by step size, as JSON.

Errors are those of a network's whole gradient by weights, or by delays: the Euclidean norm of the
difference over the norm of the exact gradient (`reference`). The cosine of a gradient of 0 is 0.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.grid.flat import flat
from benchmarks.grid.networks import KINDS, LOSSES, Drawn, drawn, norm, vector
from benchmarks.grid.stepped import Grid
from delayprop.reference.arithmetic import FLOAT64
from delayprop.reference.events import Arrivals
from delayprop.reference.readouts import drive
from delayprop.reference.simulate import simulate
from delayprop.spec import Case, Result, SpecError
from delayprop.spec.command import OneLineParser, run_and_exit

FORMAT = "delayprop-grid/2"
DTS = tuple(2.0**-n for n in range(9))  # ms: 1 to 1/256
FULL = 120  # networks of each group
PLACED = ("mean_voltage", "spike_time_mse")  # losses also measured with delays, and inputs, on the grid
ORDER_DTS = DTS[3:]  # 1/8 to 1/256 ms: five halvings
QUANTITIES = ("error_w", "error_d", "cosine_w", "cosine_d")
KAPPA_EDGES, KAPPA_DT = (0.0, 1e-3, 1e-2, 1e-1, 1.0), 1 / 16
SPIKE_EDGES, SPIKE_DT = (0, 13, 17, 21, 25), 1.0


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; the exit code (0, 2: bad options, 3: not finite, or no memory)."""
    parser = OneLineParser("python -m benchmarks.grid", "Measure the cost of a time grid for gradients.")
    help_ = "file to write; its other parts stay (default: %(default)s)"
    parser.add_argument("--out", default="runs/grid.json", metavar="FILE", help=help_)
    return parser.run_writer(_run, argv)


def _run(options: argparse.Namespace) -> int:
    path, began = Path(options.out), time.perf_counter()
    record, found = _read(path), groups()
    record |= {"dts": list(DTS), "gradients": {"networks": found, "summary": summary(found)}}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, allow_nan=False, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{time.perf_counter() - began:.0f} s, {path}", flush=True)
    return 0


def _read(path: Path) -> dict[str, Any]:
    """The record that a file has; where there is none, one without parts."""
    try:
        record = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"format": FORMAT}
    except (OSError, ValueError):
        record = None
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise SpecError("--out", f"a record of format {FORMAT}", str(path), "name another")
    return record


def measured(kind: str, loss: str, where: str, seeds: Sequence[int]) -> list[dict]:
    """One record per network, with the keys that `README.md` describes."""
    networks = [drawn(kind, loss, where, seed) for seed in seeds]
    records = [_exact(network) for network in networks]
    arrays = flat([network.case for network in networks])
    first = [min(own[0] for own in at.values()) for at in arrays.neurons]
    for dt in DTS:
        grid = Grid(arrays, dt)
        falling = np.add.reduceat(np.count_nonzero(grid.I_minus_V < 0, axis=0), first)
        for network, record, result, wrong in zip(networks, records, grid.results(), falling.tolist(), strict=True):
            _compare(network.exact, result, record)
            record["falling"].append(wrong)
    return records


def _exact(network: Drawn) -> dict:
    exact = network.exact
    spikes = sum(len(train) for trains in exact.spikes.values() for train in trains)
    kappa_min = None if exact.kappa_min is None else float(f"{exact.kappa_min:.3g}")
    return {
        "seed": network.seed, "redrawn": network.redrawn, "spikes": spikes, "kappa_min": kappa_min,
        "pinned": pinned(network.case), "kept": "", "ordered": "", "falling": [], **{name: [] for name in QUANTITIES},
    }


def pinned(case: Case) -> bool:
    """Whether the loss reads a maximum that inhibitory arrivals make."""
    maxima = drive(FLOAT64, case, simulate(FLOAT64, case)).maxima
    return any(isinstance(maximum.pinned, Arrivals) for maximum in maxima.values())


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


def groups() -> list[dict]:
    """The records of every group: `kind`, `loss`, `where`, `networks`."""
    asked = [(kind, loss, "off") for kind in KINDS for loss in LOSSES]
    asked += [(kind, loss, where) for where in ("delays on", "all on") for kind in KINDS for loss in PLACED]
    return [{"kind": kind, "loss": loss, "where": where, "networks": measured(kind, loss, where, range(FULL))}
            for kind, loss, where in asked]


def summary(found: Sequence[dict]) -> dict[str, Any]:
    """The summary of all groups, by group and together."""
    off = [group for group in found if group["where"] == "off"]
    of_kind = {kind: [n for group in off if group["kind"] == kind for n in group["networks"]] for kind in KINDS}
    return {
        "groups": [{name: group[name] for name in ("kind", "loss", "where")} | _by_step(group["networks"])
                   for group in found],
        "order": [{"kind": kind, "which": which, **order(of_kind[kind], which)} for kind in KINDS for which in "wd"],
        "kappa": _binned(off, "kappa_min", KAPPA_EDGES, KAPPA_DT),
        "spikes": _binned(off, "spikes", SPIKE_EDGES, SPIKE_DT),
        "pinned": [_pinned(kind, is_pinned, off) for kind in KINDS for is_pinned in (False, True)],
    }


def _by_step(networks: Sequence[dict]) -> dict[str, Any]:
    """Medians over networks, shares of networks and of spikes, at each step size."""
    spikes, falling = sum(n["spikes"] for n in networks), np.sum([n["falling"] for n in networks], axis=0)
    return {
        "count": len(networks), **{name: _medians([n[name] for n in networks]) for name in QUANTITIES},
        "kept": np.mean([list(map(int, n["kept"])) for n in networks], axis=0).round(4).tolist(),
        "against_d": np.mean([np.array(n["cosine_d"]) < 0 for n in networks], axis=0).round(4).tolist(),
        "falling": (falling / spikes).round(5).tolist(),
    }


def _medians(rows: Sequence[Sequence[float]]) -> list[float]:
    return [float(f"{median:.4g}") for median in np.median(rows, axis=0)]


def stable(networks: Sequence[dict]) -> list[dict]:
    """The networks whose spike counts and order are right at every step size of `ORDER_DTS`. Those
    with a pinned maximum are left out: the paper's equations have no limit there."""
    return [n for n in networks if "0" not in n["ordered"][-len(ORDER_DTS) :] and not n["pinned"]]


def order(networks: Sequence[dict], which: str) -> dict[str, Any]:
    """Median slope of log error against log dt, by least squares, over the stable networks."""
    errors = [n[f"error_{which}"][-len(ORDER_DTS) :] for n in stable(networks)]
    slopes = [np.polyfit(np.log2(ORDER_DTS), np.log2(own), 1)[0] for own in errors]
    median = round(float(np.median(slopes)), 3) if slopes else None
    return {"of": len(networks), "count": len(slopes), "median": median}


def _binned(off: Sequence[dict], quantity: str, edges: Sequence[float], dt: float) -> dict[str, Any]:
    """The weight gradient's error by a quantity: Spearman's correlation, medians between edges."""
    networks = [n for group in off for n in group["networks"] if n[quantity] is not None and not n["pinned"]]
    values = np.array([network[quantity] for network in networks], dtype=float)
    errors = np.array([network["error_w"][DTS.index(dt)] for network in networks])
    which_bin = np.searchsorted(np.array(edges), values, side="right") - 1
    bins = [errors[which_bin == n] for n in range(len(edges))]
    return {
        "dt": dt, "edges": list(edges), "counts": [len(own) for own in bins],
        "medians": [float(f"{np.median(own):.4g}") if len(own) else None for own in bins],
        "rank_correlation": round(float(np.corrcoef(_ranks(values), _ranks(errors))[0, 1]), 3),
    }


def _ranks(values: np.ndarray) -> np.ndarray:
    """The rank of each value; equal values share their mean rank."""
    _, which, count = np.unique(values, return_inverse=True, return_counts=True)
    ranks: np.ndarray = (np.cumsum(count) - (count - 1) / 2)[which]
    return ranks


def _pinned(kind: str, is_pinned: bool, off: Sequence[dict]) -> dict[str, Any]:
    """Errors of the delay gradient of maxima, for networks with or without a pinned maximum."""
    networks = [n for g in off if (g["kind"], g["loss"]) == (kind, "max_voltage") for n in g["networks"]]
    own = [n["error_d"] for n in networks if n["pinned"] == is_pinned]
    return {"kind": kind, "pinned": is_pinned, "count": len(own), "error_d": _medians(own) if own else None}


if __name__ == "__main__":
    run_and_exit(main)
