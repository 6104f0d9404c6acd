"""Each way to hide a NaN that training code elsewhere has, planted in a copy, turns a test red."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.faults.planting import Fault, outcome

pytestmark = pytest.mark.full

TESTS = "fast/test_nan_shows.py"
SPIKES, READ, CYCLES = "one and layer and float64", "max_voltage and float64", "recurrent and float64"


def fault(name: str, file: str, text: str, wrong: str) -> Fault:
    return Fault(name, "fast", file, text, wrong)


def without_nan(text: str) -> str:
    """An expression with 0 in place of NaN and infinity."""
    return f"torch.where(torch.isfinite({text}), {text}, 0.0)"


FAULTS = (
    (
        fault("of spike times, at the door", "nn/autograd.py", "solved.backward(dL_dt_post,",
              f"solved.backward({without_nan('dL_dt_post')},"),
        SPIKES,
    ),
    (
        fault("of readouts, at the door", "nn/autograd.py", "dL_dt_post, dL_dy.double()",
              f"dL_dt_post, {without_nan('dL_dy.double()')}"),
        READ,
    ),
    (fault("of weights", "solving/solved.py", "return Gradients(t_in, dL_dw,",
           f"return Gradients(t_in, {without_nan('dL_dw')},"), SPIKES),
    (fault("of delays", "solving/solved.py", ", dL_dw, dL_dd /", f", dL_dw, {without_nan('dL_dd')} /"), SPIKES),
    (fault("of input times", "solving/solved.py", "index_copy_(0, self.order, dL_dt_pre / width)",
           f"index_copy_(0, self.order, {without_nan('dL_dt_pre')} / width)"), SPIKES),
    (
        fault(
            "at the threshold", "physics/adjoint.py", "    adjoint[LAMBDA_V, lane] = lambda_V_minus\n",
            "    adjoint[LAMBDA_V, lane] = lambda_V_minus if abs(lambda_V_minus) < math.inf else 0.0\n",
        ),
        SPIKES,
    ),
    *(
        (fault("taken for a mark", "physics/own_events.py", "row >= 0 else math.nan", "row >= 0 else 0.0"), of)
        for of in (READ, CYCLES)
    ),
    (
        fault(
            "marked arrivals left out",
            "physics/own_events.py",
            "    b.piece[source, LANES + lane] += of_I\n    if not want_dt:\n",
            "    b.piece[source, LANES + lane] += of_I\n"
            "    for k in (lane, LANES + lane):\n"
            "        b.piece[source, k] = b.piece[source, k] if b.piece[source, k] == b.piece[source, k] else 0.0\n"
            "    if not want_dt:\n",
        ),
        SPIKES,
    ),
    (
        fault(
            "a batch left out",
            "nn/autograd_guards.py",
            "        return backward(of, *tensors[:number])",
            "        whole = all(bool(torch.isfinite(one).all()) for one in tensors[:number])\n"
            "        return backward(of, *(one if whole else 0 * torch.ones_like(one) for one in tensors[:number]))",
        ),
        "three and float64",
    ),
)


@pytest.mark.parametrize(("planted", "chosen"), FAULTS, ids=[f"{planted.name}-{of}" for planted, of in FAULTS])
def test_a_hidden_nan_is_seen(planted: Fault, chosen: str, tmp_path: Path) -> None:
    done = outcome(planted, tmp_path, TESTS, chosen, compiled=False)
    assert done.returncode == 1 and " came out of " in done.stdout, done.stdout + done.stderr


def test_control_without_a_fault_all_of_them_pass(tmp_path: Path) -> None:
    chosen = " or ".join(f"({one})" for one in sorted({of for _, of in FAULTS}))
    done = outcome(None, tmp_path, TESTS, chosen, compiled=False)
    assert done.returncode == 0, done.stdout + done.stderr
