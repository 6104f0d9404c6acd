"""Arrivals of a solved bin in order, and the flow over the gaps between them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from delayprop.fast.cpu import gaps
from delayprop.fast.cpu.intrinsics import pointer
from delayprop.fast.cpu.short_rows import FEW, GAPS, counted_before
from delayprop.fast.layout.arrays import LANES
from delayprop.fast.physics.polynomials import AB, TERMS, A, B, coefficients, polynomial
from delayprop.fast.physics.within_bin import GAP_A, GAP_AB, GAP_B
from tests.support.kernels import from_python

DTYPES = [np.float32, np.float64]
scratch_for, put_in_order, value_of = map(from_python, (gaps.gap_scratch, gaps.put_in_order, polynomial))


@njit
def factors_of_gaps(rest, first, count, end, lane, coefficients, terms, scratch):
    gaps.set_factors_of_gaps(
        pointer(rest), first, count, end, lane, pointer(coefficients), terms, pointer(scratch.gap),
        pointer(scratch.factors), scratch.factors.shape[1],
    )


@njit
def ranked(found, count, rank):
    gaps.rank_few(pointer(found), count, pointer(rank))


def coefficients_of(dtype: type) -> np.ndarray:
    """Of one pack; the rates of a lane are equal in every fourth."""
    pm = np.linspace(0.01, 0.25, LANES)[None]
    ps = np.where(np.arange(LANES) % 4, 0.25 - pm / 2, pm)
    return coefficients(pm, ps, -1.0, dtype).reshape(-1)


@given(st.sampled_from(DTYPES), st.integers(0, 70), st.integers(1, 40), st.integers(0, 2**32))
def test_arrivals_are_in_order_of_time(dtype: type, count: int, different: int, seed: int) -> None:
    """Up to FEW are ranked side by side, up to 48 sorted by insertion, more in a heap. The latest
    spike is found first; the earlier one goes first at one instant, but for a heap."""
    random = np.random.default_rng(seed)
    scratch = scratch_for(count, np.empty(0, dtype))
    scratch.rest[:] = random.integers(0, different, len(scratch.rest)) / 64  # beyond `count` too
    scratch.weight[:count] = np.arange(count)
    rest: np.ndarray = np.full(count + 1, -1, dtype)
    weight = rest.copy()
    put_in_order(count, scratch, rest, weight)
    found = scratch.rest[:count]
    order = np.lexsort((-np.arange(count), found))
    assert rest.tolist() == [*found[order], -1]
    assert found[weight[:-1].astype(int)].tolist() == rest[:-1].tolist(), "each weight stays with its instant"
    assert sorted(weight[:-1]) == list(range(count))
    if count <= 48:
        assert weight.tolist() == [*order, -1]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", [0, 1, GAPS - 1, GAPS, 2 * GAPS, 5 * GAPS + 3])
@pytest.mark.parametrize("first", [0, 1, GAPS])
@pytest.mark.parametrize("lane", [4, 5])
def test_the_factors_of_gaps_are_those_of_one_gap(dtype: type, count: int, first: int, lane: int) -> None:
    terms, scratch = tuple(range(TERMS[np.dtype(dtype).itemsize])), scratch_for(count, np.empty(0, dtype))
    given = coefficients_of(dtype)
    end = 0.9921875
    rest: np.ndarray = end * np.sort(np.random.default_rng(count).random(count)).astype(dtype)
    first = min(first, count)
    factors_of_gaps(rest, first, count, end, lane, given, terms, scratch)
    lengths = np.diff([0.0, *rest.astype(float), end])
    for row, which in ((GAP_A, A), (GAP_B, B), (GAP_AB, AB)):
        expected = [value_of(given, which, lane, float(h), terms) for h in lengths[first:]]
        np.testing.assert_allclose(scratch.factors[row, first : count + 1], expected, rtol=4e-16)
        assert not scratch.factors[row, :first].any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_ranks_without_the_compiler(dtype: type) -> None:
    found: np.ndarray = np.random.default_rng(7).integers(0, 9, FEW).astype(dtype)
    compiled, meant = np.zeros(FEW, np.int32), np.zeros(FEW, np.int32)
    ranked(found, FEW, compiled)
    for other in range(FEW):
        counted_before(found, other, meant)
    assert compiled.tolist() == meant.tolist()
    assert sorted(compiled) == list(range(FEW))
