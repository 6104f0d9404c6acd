"""The tests that a NaN shows can fail: each way of hiding one, planted in a copy, turns one of them red.

All are found in code that trains networks elsewhere: a NaN set to 0 where it comes in, where it goes out, or half way.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.faults.planting import Fault, plant
from tests.training.test_survival_faults import outcome

TESTS = "../fast/test_nan_shows.py"
SOLVED = "solving/solved.py"
SPIKES, READ, CYCLES = "one and layer and float64", "max_voltage and float64", "recurrent and float64"


def fault(name: str, file: str, text: str, wrong: str) -> Fault:
    return Fault(name, "fast", file, text, wrong)


def without_nan(text: str) -> str:
    """An expression, and 0 where it is NaN or infinite."""
    return f"torch.where(torch.isfinite({text}), {text}, 0.0)"


FAULTS = (
    (fault("of spike times, at the door", SOLVED, "dL_dt_post.cont", f"{without_nan('dL_dt_post')}.cont"), SPIKES),
    (fault("of readouts, at the door", SOLVED, "pad(dL_dy.", f"pad({without_nan('dL_dy')}."), READ),
    (fault("of weights", SOLVED, "(t_in, dL_dw,", f"(t_in, {without_nan('dL_dw')},"), SPIKES),
    (fault("of delays", SOLVED, "dL_dw, dL_dd,", f"dL_dw, {without_nan('dL_dd')},"), SPIKES),
    (fault("of input times", SOLVED, "dL_dt_pre / width", f"{without_nan('dL_dt_pre')} / width"), SPIKES),
    (
        fault(
            "at the threshold",
            "physics/adjoint.py",
            "    adjoint[LAMBDA_V, lane] = lambda_V_minus\n",
            "    adjoint[LAMBDA_V, lane] = lambda_V_minus if abs(lambda_V_minus) < math.inf else 0.0\n",
        ),
        SPIKES,
    ),
    (fault("taken for a mark", "physics/adjoint.py", "bin_ == at.last else math.nan", "bin_ == at.last else 0.0"), READ),
    (fault("taken for a mark", "physics/adjoint.py", "bin_ == at.last else math.nan", "bin_ == at.last else 0.0"), CYCLES),
    (
        fault(
            "marked arrivals left out",
            "cpu/lookup.py",
            "            add[lane] += I\n            add[LANES + lane] += V - I\n            if worth.size > 0:\n",
            "            add[lane] += I if I == I else at.zero\n            if worth.size > 0:\n",
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
    done = outcome(plant(planted, "fast", tmp_path), TESTS, chosen)
    assert done.returncode == 1 and " came out of " in done.stdout, done.stdout + done.stderr


def test_control_without_a_fault_all_of_them_pass(tmp_path: Path) -> None:
    chosen = " or ".join(f"({one})" for one in sorted({of for _, of in FAULTS}))
    done = outcome(plant(None, "fast", tmp_path), TESTS, chosen)
    assert done.returncode == 0, done.stdout + done.stderr
