"""The distance of a result from the true one, block by block.

A block is one kind of parameter of one connection or population. Its error is the Euclidean norm of
the difference relative to the norm of the block, because single entries can cancel to anything. A
whole block can cancel too (an arrival that moves changes no interior maximum), and no arithmetic
computes a sum to better than a few `u` of its terms. The conservation identities bound these terms
without an adjoint: the sums `p dL/dp` of the blocks balance each other, so the terms of a block are
at most about as large as the largest block, in natural units (a typical weight, threshold, time
constant). So a smaller block is compared with `CANCELLATION` times the largest, which allows some
hundred `u` of the largest block.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import mpmath
import numpy as np

from delayprop.spec import Case, Gradients, Result
from tests.support.parameters import blocks, changed
from tests.support.tolerances import (
    CANCELLATION,
    SAME_NETWORK,
    SAME_SUM,
    U64,
    VANISHES,
    WELL_CONDITIONED,
    relative,
    times,
)

Numbers = Sequence | np.ndarray


@dataclass(frozen=True)
class Block:
    """One block of a gradient, found and true. `error`: norm of the difference, relative to the
    norm of the block or its share of the largest; infinite if a number is missing or not finite.
    `alone`: relative to the block. `zero`: it is 0."""

    name: str
    found: list[mpmath.mpf]
    true: list[mpmath.mpf]
    error: float
    alone: float
    zero: bool


@dataclass(frozen=True)
class Agreement:
    """The numbers of a comparison that passed: the largest error of a block as a share of the error
    allowed, and the numbers of blocks: all, those that vanish, and those that would fail relative
    to their own norm."""

    used: float
    blocks: int
    zero: int
    cancelled: int


def block_errors(case: Case, found: Gradients, true: Gradients) -> dict[str, float]:
    return {block.name: block.error for block in compared(case, found, true)}


def compared(case: Case, found: Gradients, true: Gradients) -> list[Block]:
    found_blocks = []
    with mpmath.workdps(60):
        expected = gradient_blocks(case, true)
        unit = {name: _unit(case, name) for name in expected}
        largest = largest_block(case, true)
        for name, block in gradient_blocks(case, found).items():
            norm, floor = mpmath.norm(expected[name]), CANCELLATION * max(largest, VANISHES) / unit[name]
            error = alone = math.inf
            # nan-ok: the error stays infinite
            if len(block) == len(expected[name]) and all(mpmath.isfinite(number) for number in block):
                difference = mpmath.norm([a - b for a, b in zip(block, expected[name], strict=True)])
                error = float(difference / max(norm, floor))
                alone = float(difference / norm) if norm else math.inf if difference else 0.0
            found_blocks.append(Block(name, block, expected[name], error, alone, bool(norm <= VANISHES * floor)))
    return found_blocks


def largest_block(case: Case, gradients: Gradients) -> float:
    """Norm of the largest block, in natural units: derivatives by relative parameter changes."""
    norms = (_unit(case, name) * float(mpmath.norm(block)) for name, block in gradient_blocks(case, gradients).items())
    return max(norms, default=0.0)


def gradient_blocks(case: Case, gradients: Gradients) -> dict[str, list[mpmath.mpf]]:
    """The numbers of each block, by name, without entries for absent synapses."""
    found: dict[str, list[mpmath.mpf]] = {}
    names = {"w": "connections[{}].weights", "d": "connections[{}].delays", "t_in": "inputs.{}"}
    for (kind, owner, *_), values in blocks(gradients):
        numbers = values[case.network.connections[owner].exists] if kind in ("w", "d") else values
        found.setdefault(names.get(kind, f"{{}}.{kind}").format(owner), []).extend(_numbers(numbers))
    return found


def assert_same_gradients(
    case: Case,
    found: Gradients,
    true: Gradients,
    kappa_min: float | None,
    *,
    u: float = U64,
    limit: float | None = None,
) -> Agreement:
    """Asserts that every block is right to `limit`, by default `tolerances.relative` at the
    roundoff `u`; names every wrong block, both values, the tolerance and kappa_min."""
    allowed = relative(u, kappa_min) if limit is None else limit
    seen = compared(case, found, true)
    wrong = [
        f"{b.name}: error {b.error:.1e}, found {_shown(b.found)}, true {_shown(b.true)}"
        for b in seen
        if not b.error <= allowed
    ]
    shown = "no spike" if kappa_min is None else f"kappa_min {float(kappa_min):.1e}"
    assert not wrong, "\n".join([f"blocks beyond the tolerance {allowed:.1e} ({shown}):", *wrong])
    worst = max((block.error for block in seen), default=0.0)
    cancelled = sum(block.alone > allowed and not block.zero for block in seen)
    return Agreement(worst / allowed, len(seen), sum(block.zero for block in seen), cancelled)


def _assert_same_activity(case: Case, found: Result, true: Result, u: float, kappa_min: float | None) -> None:
    """Asserts equal spike counts and order, and times, kappa, readout and loss to rounding."""
    limit, slack, instants = relative(u, kappa_min), 0.0, []
    for name, trains in true.spikes.items():
        for j, (train, expected) in enumerate(zip(found.spikes[name], trains, strict=True)):
            assert len(train) == len(expected), f"{name}[{j}]: {len(train)} spikes, true {len(expected)}"
            for k, (t, t_true) in enumerate(zip(train, expected, strict=True)):
                off, allowed = abs(float(t - t_true)), times(u, kappa_min, case.duration, k)
                assert off <= allowed, f"{name}[{j}] spike {k}: {t} ms, true {t_true}; off {off:.1e} > {allowed:.1e}"
                instants.append((float(t), float(t_true)))
                slack = max(slack, allowed)
            _assert_close(f"kappa of {name}[{j}]", found.kappa[name][j], true.kappa[name][j], limit, 0.0)
    in_order = [t_true for _, t_true in sorted(instants)]
    assert all(b >= a - slack for a, b in pairwise(in_order)), "the order of spikes differs"
    assert (found.readout is None) == (true.readout is None), f"readout: {found.readout}, true {true.readout}"
    if found.readout is not None and true.readout is not None:
        _assert_close("readout", found.readout, true.readout, limit, CANCELLATION * _unit(case, "v_th"))
    _assert_close("loss", [found.loss], [true.loss], limit, largest_block(case, true.gradients))


def assert_same_results(
    case: Case, found: Result, true: Result, *, u: float = U64, kappa: float | None = None, limit: float | None = None
) -> Agreement:
    """Asserts equal activity, and gradients as `assert_same_gradients`; `kappa`: in place of the
    worst conditioning of a spike."""
    kappa_min = true.kappa_min if kappa is None else kappa
    _assert_same_activity(case, found, true, u, kappa_min)
    return assert_same_gradients(case, found.gradients, true.gradients, kappa_min, u=u, limit=limit)


def assert_bitwise(case: Case, found: Result, true: Result) -> None:
    assert found.loss == true.loss
    assert true.readout is None or np.array_equal(found.readout, true.readout)
    for name, trains in true.spikes.items():
        assert all(np.array_equal(a, b) for a, b in zip(found.spikes[name], trains, strict=True)), name
    assert gradient_blocks(case, found.gradients) == gradient_blocks(case, true.gradients)


def assert_same(case: Case, found: Result, true: Result, limit: float = SAME_NETWORK) -> float:
    """Asserts float64 gradients equal to the limit, less near grazing; returns the used share."""
    return assert_same_results(case, found, true, limit=_allowed(true, limit)).used


def share(case: Case, found: Result, true: Result, limit: float = SAME_NETWORK) -> float:
    """Largest error of a block of the gradient, as a share of what `assert_same` allows."""
    return max(block_errors(case, found.gradients, true.gradients).values()) / _allowed(true, limit)


def _allowed(true: Result, limit: float) -> float:
    return limit / WELL_CONDITIONED * relative(U64, true.kappa_min)


def assert_equal(run: str, case: Case, found: Result, true: Result) -> float:
    """Asserts bitwise equality in the reference; in `fast` equality up to the order of sums."""
    if run == "reference":
        assert_bitwise(case, found, true)
        return 0.0
    return assert_same(case, found, true, SAME_SUM)


def assert_not_all_zero(case: Case, gradients: Gradients) -> None:
    """Asserts a gradient other than 0; a gradient of 0 is no evidence."""
    numbers = (number for block in gradient_blocks(case, gradients).values() for number in block)
    assert any(abs(number) > VANISHES for number in numbers), "the whole gradient is 0"


def scaled(gradients: Gradients, kind: str, factor: float) -> Gradients:
    """A planted fault: the gradient by one kind of parameter (`w`, `d`, `t_in`, ...), scaled."""
    return changed(gradients, lambda name, values: values * (factor if name == kind else 1.0))


def _unit(case: Case, name: str) -> float:
    threshold = _mean(case, "v_th", 1.0)
    if name.endswith("weights"):
        connection = case.network.connections[int(name.split("[")[1].split("]")[0])]
        weights = connection.w[connection.exists]
        return float(np.sqrt(np.mean(weights**2))) if weights.any() else threshold
    constant = name.rpartition(".")[2]
    if constant in ("v_th", "v_reset"):
        return threshold
    return time_unit(case) if constant in ("delays", *case.inputs) else _mean(case, constant, 1.0)


def time_unit(case: Case) -> float:
    """The natural unit of time: the mean `tau_mem`, ms."""
    return _mean(case, "tau_mem", math.nan)


def _mean(case: Case, constant: str, otherwise: float) -> float:
    """The mean size of a constant over all neurons that have it; time constants share a unit."""
    name = "tau_mem" if constant.startswith("tau") else constant
    found = [abs(p.values[name]) for p in case.network.populations if name in p.values]
    return float(np.mean(np.concatenate(found))) if found else otherwise


def _assert_close(name: str, found: Numbers, true: Numbers, limit: float, floor: float) -> None:
    with mpmath.workdps(60):
        a, b = _numbers(found), _numbers(true)
        scale = max(mpmath.norm(b), floor)
        difference = float(mpmath.norm([x - y for x, y in zip(a, b, strict=True)]))
        assert difference <= limit * scale, f"{name}: {_shown(a)}, true {_shown(b)}; off {difference:.1e} > {limit:.1e}"


def _numbers(values: Numbers) -> list[mpmath.mpf]:
    return [mpmath.mpf(value) for value in np.asarray(values, dtype=object).ravel().tolist()]


def _shown(numbers: Sequence[mpmath.mpf]) -> str:
    texts = [mpmath.nstr(number, 17) for number in numbers[:4]]
    return "[" + ", ".join(texts) + (f", ... {len(numbers)} in all]" if len(numbers) > 4 else "]")
