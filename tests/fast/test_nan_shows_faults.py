"""The tests that a NaN shows can fail: each way of hiding one, planted in a copy, turns one of them red.

All are found in code that trains networks elsewhere: a NaN set to 0 where it comes in, where it goes out, or half way.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.faults.planting import Fault, outcome

TESTS = "fast/test_nan_shows.py"
SPIKES, READ, CYCLES = "one and layer and float64", "max_voltage and float64", "recurrent and float64"


def fault(name: str, file: str, text: str, wrong: str) -> Fault:
    return Fault(name, "fast", file, text, wrong)


def without_nan(text: str, module: str = "torch") -> str:
    """An expression, and 0 where it is NaN or infinite."""
    return f"{module}.where({module}.isfinite({text}), {text}, 0.0)"


FAULTS = (
    (
        fault(
            "of spike times, at the door",
            "nn/autograd.py",
            "dL_dt_post.contiguous() * ctx.width",
            f"{without_nan('dL_dt_post')}.contiguous() * ctx.width",
        ),
        SPIKES,
    ),
    (
        fault("of readouts, at the door", "cpu/kernels.py", "= dL_dy\n", f"= {without_nan('dL_dy', 'np')}\n"),
        READ,
    ),
    (fault("of weights", "nn/autograd.py", "blocks = (dL_dw,", f"blocks = ({without_nan('dL_dw')},"), SPIKES),
    (
        fault("of delays", "nn/autograd.py", "dL_dd / ctx.width,", f"{without_nan('dL_dd')} / ctx.width,"),
        SPIKES,
    ),
    (
        fault("of input times", "nn/autograd.py", "= worth / ctx.width", f"= {without_nan('worth')} / ctx.width"),
        SPIKES,
    ),
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
    done = outcome(planted, tmp_path, TESTS, chosen, compiled=False)
    assert done.returncode == 1 and " came out of " in done.stdout, done.stdout + done.stderr


def test_control_without_a_fault_all_of_them_pass(tmp_path: Path) -> None:
    chosen = " or ".join(f"({one})" for one in sorted({of for _, of in FAULTS}))
    done = outcome(None, tmp_path, TESTS, chosen, compiled=False)
    assert done.returncode == 0, done.stdout + done.stderr
