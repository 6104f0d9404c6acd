"""A bound on the spikes of a training run: it ends with an error before they fill the memory.

A step that is too large may raise weights so far that each neuron spikes a million times per trial.
Kernels would compute all of these spikes, for minutes and gigabytes. A network that computes
anything is far below the bound: one spike per ms is more than a neuron of any brain can emit. Calls
outside `bounded_spikes` have no bound.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from delayprop.fast.solving.problem import Problem

PER_TRIAL, PER_MS = 1000, 1.0
"""Spikes per neuron and trial; the larger of both counts."""
UNBOUNDED = 2.0**31
_bounded: ContextVar[bool] = ContextVar("_bounded", default=False)


@contextmanager
def bounded_spikes() -> Iterator[None]:
    """Context in which a layer that emits too many spikes raises `ArithmeticError`.

    The average counts: over the neurons of a piece (`fast.cpu.threads`), on a GPU over all neurons
    of the layer, in one trial.
    """
    before = _bounded.set(True)
    try:
        yield
    finally:
        _bounded.reset(before)


def spikes_per_train(problem: Problem) -> float:
    """How many spikes a neuron may emit per trial, on average; for the thread that calls."""
    return _bound(problem) if _bounded.get() else UNBOUNDED


def too_many(problem: Problem) -> ArithmeticError:
    """The error of a layer above the bound."""
    return ArithmeticError(
        f"the neurons of a layer emit more than {_bound(problem):.0f} spikes each in a trial of "
        f"{problem.duration:g} ms; lower their weights, or take smaller steps"
    )


def _bound(problem: Problem) -> float:
    return max(float(PER_TRIAL), PER_MS * problem.duration)
