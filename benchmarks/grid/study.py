"""The study of gradients: its groups of networks, and the summary of their records."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from benchmarks.grid.measure import DTS, measured
from benchmarks.grid.networks import KINDS, LOSSES

FULL, QUICK = 120, 6  # networks of each group
PLACED = ("mean_voltage", "spike_time_mse")  # losses also measured with delays, and inputs, on the grid
ORDER_DTS = DTS[3:]  # 1/8 to 1/256 ms: five halvings
QUANTITIES = ("error_w", "error_d", "cosine_w", "cosine_d")
KAPPA_EDGES = (0.0, 1e-3, 1e-2, 1e-1, 1.0)
SPIKE_EDGES = (0, 13, 17, 21, 25)
SHOWN = (1.0, 1 / 16, 1 / 256)  # step sizes of the dependence on kappa and spikes


def groups(quick: bool = False) -> list[dict]:
    """The records of every group: `kind`, `loss`, `where`, `networks`."""
    seeds = range(QUICK if quick else FULL)
    asked = [(kind, loss, "off") for kind in KINDS for loss in LOSSES]
    asked += [(kind, loss, where) for where in ("delays on", "all on") for kind in KINDS for loss in PLACED]
    return [{"kind": kind, "loss": loss, "where": where, "networks": measured(kind, loss, where, seeds)}
            for kind, loss, where in asked]


def summary(found: Sequence[dict]) -> dict[str, Any]:
    """The summary of all groups, by group and together."""
    off = [group for group in found if group["where"] == "off"]
    return {
        "groups": [{name: group[name] for name in ("kind", "loss", "where")} | _by_step(group["networks"])
                   for group in found],
        "order": {which: _orders(off, which) for which in ("w", "d")},
        "kappa": _binned(off, "kappa_min", KAPPA_EDGES), "spikes": _binned(off, "spikes", SPIKE_EDGES),
        "pinned": _pinned(off),
    }


def _by_step(networks: Sequence[dict]) -> dict[str, Any]:
    """Quartiles over networks, shares of networks and of spikes, at each step size."""
    row: dict[str, Any] = {"count": len(networks)}
    for name in QUANTITIES:
        row[name] = _quartiles(np.array([network[name] for network in networks]))
    for name in ("kept", "ordered"):
        row[name] = np.mean([list(map(int, network[name])) for network in networks], axis=0).round(4).tolist()
    row["no_gradient_d"] = np.mean([np.array(n["cosine_d"]) == 0 for n in networks], axis=0).round(4).tolist()
    row["against_d"] = np.mean([np.array(n["cosine_d"]) < 0 for n in networks], axis=0).round(4).tolist()
    spikes, falling = sum(n["spikes"] for n in networks), np.sum([n["falling"] for n in networks], axis=0)
    row["falling"] = (falling / spikes).round(5).tolist()
    return row


def _quartiles(values: np.ndarray) -> list[list[float]]:
    """Lower quartile, median, upper quartile of each column."""
    return [[float(f"{q:.4g}") for q in np.percentile(column, (25, 50, 75))] for column in values.T]


def _orders(off: Sequence[dict], which: str) -> list[dict]:
    """Slopes of log error against log dt by kind and loss, over networks of `stable` events.

    Networks with a pinned maximum are left out: the paper's equations have no limit there (see
    `pinned` in the summary).
    """
    records = []
    for kind in KINDS:
        of_kind = [group for group in off if group["kind"] == kind]
        for loss in (*LOSSES, "all"):
            networks = [n for group in of_kind for n in group["networks"] if loss in (group["loss"], "all")]
            slopes = [order(n[f"error_{which}"]) for n in networks if stable(n) and not n["pinned"]]
            low, middle, high = np.percentile(slopes, (25, 50, 75)) if slopes else (None,) * 3
            records.append({"kind": kind, "loss": loss, "of": len(networks), "count": len(slopes), "quartiles": [
                None if q is None else round(float(q), 3) for q in (low, middle, high)]})
    return records


def stable(network: dict) -> bool:
    """Whether spike counts and order are right at every step size of `ORDER_DTS`."""
    return "0" not in network["ordered"][-len(ORDER_DTS) :]


def order(errors: Sequence[float]) -> float:
    """Slope of log error against log dt over `ORDER_DTS`, by least squares."""
    return float(np.polyfit(np.log2(ORDER_DTS), np.log2(errors[-len(ORDER_DTS) :]), 1)[0])


def _binned(off: Sequence[dict], quantity: str, edges: Sequence[float]) -> list[dict]:
    """The dependence of errors on a quantity: rank correlation, and medians between edges."""
    records = []
    networks = [n for group in off for n in group["networks"] if n[quantity] is not None and not n["pinned"]]
    values = np.array([network[quantity] for network in networks], dtype=float)
    which_bin = np.searchsorted(np.array(edges), values, side="right") - 1
    for dt in SHOWN:
        for which in ("w", "d"):
            errors = np.array([network[f"error_{which}"][DTS.index(dt)] for network in networks])
            bins = [errors[which_bin == n] for n in range(len(edges))]
            records.append({"dt": dt, "which": which, "edges": list(edges), "counts": [len(own) for own in bins],
                            "medians": [float(f"{np.median(own):.4g}") if len(own) else None for own in bins],
                            "rank_correlation": round(rank_correlation(values, errors), 3)})
    return records


def rank_correlation(a: Iterable[float], b: Iterable[float]) -> float:
    """Spearman's rank correlation; equal values share their mean rank."""
    return float(np.corrcoef(_ranks(np.array(list(a))), _ranks(np.array(list(b))))[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    _, which, count = np.unique(values, return_inverse=True, return_counts=True)
    ranks: np.ndarray = (np.cumsum(count) - (count - 1) / 2)[which]
    return ranks


def _pinned(off: Sequence[dict]) -> list[dict]:
    """Errors of the delay gradient of maxima, for networks with and without a pinned maximum."""
    records = []
    for kind in KINDS:
        networks = [n for g in off if (g["kind"], g["loss"]) == (kind, "max_voltage") for n in g["networks"]]
        for is_pinned in (False, True):
            own = [n["error_d"] for n in networks if n["pinned"] == is_pinned]
            medians = [row[1] for row in _quartiles(np.array(own))] if own else None
            records.append({"kind": kind, "pinned": is_pinned, "count": len(own), "error_d": medians})
    return records
