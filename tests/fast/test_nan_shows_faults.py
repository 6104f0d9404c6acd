"""Each way to hide a NaN that training code elsewhere has, planted in a copy, turns a test red."""

from pathlib import Path

import pytest

from tests.support.faults.planting import Fault, outcome

pytestmark = pytest.mark.full

TESTS = "fast/test_nan_shows.py"
SPIKES, READ, CYCLES = "one and layer and float64", "max_voltage and float64", "recurrent and float64"


def without_nan(text: str) -> str:
    """An expression with 0 in place of NaN and infinity."""
    return f"torch.where(torch.isfinite({text}), {text}, 0.0)"


PLANTED: tuple[tuple[str, str, str, str, str], ...] = (
    ("of spike times, at the door", SPIKES, "nn/autograd.py",
     "solved.backward(dL_dt_post,", f"solved.backward({without_nan('dL_dt_post')},"),
    ("of readouts, at the door", READ, "nn/autograd.py",
     "dL_dt_post, dL_dy.double()", f"dL_dt_post, {without_nan('dL_dy.double()')}"),
    ("of weights", SPIKES, "solving/solved.py",
     "return Gradients(t_in, dL_dw,", f"return Gradients(t_in, {without_nan('dL_dw')},"),
    ("of delays", SPIKES, "solving/solved.py", ", dL_dw, dL_dd /", f", dL_dw, {without_nan('dL_dd')} /"),
    ("of input times", SPIKES, "solving/solved.py",
     "index_copy_(0, self.order, dL_dt_pre / width)",
     f"index_copy_(0, self.order, {without_nan('dL_dt_pre')} / width)"),
    ("at the threshold", SPIKES, "physics/adjoint.py",
     "    adjoint[LAMBDA_V, lane] = lambda_V_minus\n",
     "    adjoint[LAMBDA_V, lane] = lambda_V_minus if abs(lambda_V_minus) < math.inf else 0.0\n"),
    *(("taken for a mark", of, "physics/own_events.py", "row >= 0 else math.nan", "row >= 0 else 0.0")
      for of in (READ, CYCLES)),
    ("marked arrivals left out", SPIKES, "physics/own_events.py",
     "    b.piece[source, LANES + lane] += of_I\n    if not want_dt:\n",
     "    b.piece[source, LANES + lane] += of_I\n"
     "    for k in (lane, LANES + lane):\n"
     "        b.piece[source, k] = b.piece[source, k] if b.piece[source, k] == b.piece[source, k] else 0.0\n"
     "    if not want_dt:\n"),
    ("a batch left out", "three and float64", "nn/autograd_guards.py",
     "        return backward(of, *tensors[:number])",
     "        whole = all(bool(torch.isfinite(one).all()) for one in tensors[:number])\n"
     "        return backward(of, *(one if whole else 0 * torch.ones_like(one) for one in tensors[:number]))"),
)
"""The fault, the tests that see it, its file, and the text before and after."""
FAULTS = [(Fault(name, "fast", file, text, wrong), chosen) for name, chosen, file, text, wrong in PLANTED]


@pytest.mark.parametrize(("planted", "chosen"), FAULTS, ids=[f"{planted.name}-{of}" for planted, of in FAULTS])
def test_a_hidden_nan_is_seen(planted: Fault, chosen: str, tmp_path: Path) -> None:
    done = outcome(planted, tmp_path, TESTS, chosen, compiled=False)
    assert done.returncode == 1 and " came out of " in done.stdout, done.stdout + done.stderr


def test_control_without_a_fault_all_of_them_pass(tmp_path: Path) -> None:
    chosen = " or ".join(f"({one})" for one in sorted({of for _, of in FAULTS}))
    done = outcome(None, tmp_path, TESTS, chosen, compiled=False)
    assert done.returncode == 0, done.stdout + done.stderr
