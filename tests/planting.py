"""Faults to plant: each is one text of an implementation, replaced by another that is wrong.

The first seven have been published by one system or another, or are what a grid does to a delay. A fault is planted in
a copy; the checks of `checks_of_faults.py` then run on the copy, in a process of their own that imports it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Fault:
    """`text` of `package/file` becomes `wrong`; `name` says what that does."""

    name: str
    package: str
    file: str
    text: str
    wrong: str

    def __str__(self) -> str:
        return f"{self.package}: {self.name}"


FAULTS = (
    Fault(
        "flipped sign of the delay gradient",
        "reference",
        "adjoint.py",
        "self.dL_dd[synapse.connection][entry] += dL_dt",
        "self.dL_dd[synapse.connection][entry] -= dL_dt",
    ),
    Fault(
        "same slope before and after the reset",
        "reference",
        "adjoint.py",
        "event.Vdot_minus, event.Vdot_plus",
        "event.Vdot_minus, event.Vdot_minus",
    ),
    Fault(
        "no jump at the first spike",
        "reference",
        "adjoint.py",
        "elif isinstance(event, Crossing):",
        "elif isinstance(event, Crossing) and event.spike is not event.neuron.spikes[0]:",
    ),
    Fault(
        "no tau_syn in the weight gradient",
        "reference",
        "jumps.py",
        "return -tau_syn * lambda_I",
        "return -lambda_I",
    ),
    Fault(
        "delay cut to whole ms",
        "reference",
        "simulate.py",
        "m.real(float(connection.d[i, j]))",
        "m.real(float(connection.d[i, j] // 1))",
    ),
    Fault(
        "adjoint looked up at t, not at t + d",
        "reference",
        "adjoint.py",
        "dL_dt_arr(synapse.w, adjoint.lambda_V, adjoint.lambda_I)",
        "dL_dt_arr(synapse.w, *adjoint_flow(self.m, adjoint.lambda_V, adjoint.lambda_I, synapse.d, c))",
    ),
    Fault(
        "1e-3 added to a denominator",
        "reference",
        "jumps.py",
        "Vdot_plus / Vdot_minus * lambda_V_plus + dL_dt_post / (tau_mem * Vdot_minus)",
        "Vdot_plus / (Vdot_minus + 1e-3) * lambda_V_plus + dL_dt_post / (tau_mem * (Vdot_minus + 1e-3))",
    ),
    Fault(
        "0.1 % error",
        "reference",
        "jumps.py",
        "return w * (lambda_V - lambda_I)",
        "return 1.001 * w * (lambda_V - lambda_I)",
    ),
    Fault(
        "flipped sign of the delay gradient",
        "fast",
        "kernels.py",
        "unpacked(w * sums[:, :, LANES:]",
        "unpacked(-w * sums[:, :, LANES:]",
    ),
    Fault(
        "same slope before and after the reset",
        "fast",
        "adjoint.py",
        "pm * (I_cross - v_reset)",
        "pm * (I_cross - v_th)",
    ),
    Fault(
        "no jump at the first spike",
        "fast",
        "backward.py",
        "            jump_at_spike(",
        "            e == e_first or jump_at_spike(",
    ),
    Fault(
        "no tau_syn in the weight gradient",
        "fast",
        "kernels.py",
        "-sums[:, :, :LANES] / ps",
        "-sums[:, :, :LANES]",
    ),
    Fault(
        "delay cut to whole ms",
        "fast",
        "problem.py",
        "d.detach().double().numpy()",
        "d.detach().double().floor().numpy()",
    ),
    Fault(
        "adjoint looked up at t, not at t + d",
        "fast",
        "gather.py",
        "            what[2 * lane], what[2 * lane + 1] = V, I\n"
        "            add[lane] += I\n"
        "            add[LANES + lane] += V - I\n"
        "    return any_special",
        "            add[lane] += I\n"
        "            V, I = np.nan_to_num(ring[int(here) + 2 * lane : int(here) + 2 * lane + 2])\n"
        "            what[2 * lane], what[2 * lane + 1] = V, I\n"
        "            add[LANES + lane] += V - I\n"
        "    return any_special",
    ),
    Fault(
        "1e-3 added to a denominator",
        "fast",
        "adjoint.py",
        "Vdot_plus / Vdot_minus * lambda_V_plus + (dL_dt + driven * (v_th - v_reset)) * pm / Vdot_minus",
        "Vdot_plus / (Vdot_minus + 1e-3) * lambda_V_plus + dL_dt * pm / (Vdot_minus + 1e-3)",
    ),
    Fault(
        "0.1 % error",
        "fast",
        "gather.py",
        "worth[n] += total",
        "worth[n] += 1.001 * total",
    ),
)


def plant(fault: Fault | None, package: str, folder: Path) -> Path:
    """Copy `package` into `folder` with the fault in it, or, with None, as it is; returns `folder`."""
    shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    if fault is not None:
        path = folder / package / fault.file
        source = path.read_text(encoding="utf-8")
        assert source.count(fault.text) == 1, f"`{fault.text}` must occur once in {package}/{fault.file}"
        path.write_text(source.replace(fault.text, fault.wrong), encoding="utf-8")
    return folder


def findings(package: str, folder: Path, evidence: Path) -> dict[str, float]:
    """What every check finds in the copy of `package` in `folder`, in units of what it allows.

    Numba compiles nothing there: on networks this small, Python is quicker than the compiler.
    """
    environment = {
        **os.environ,
        "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "NUMBA_DISABLE_JIT": "1",
    }
    # -P: the folder that we are in must not come before the copy
    command = [sys.executable, "-P", "-m", "tests.checks_of_faults", package, str(evidence)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert Path(found["module"]).is_relative_to(folder), f"checked {found['module']}, which is not the copy"
    return found["findings"]
