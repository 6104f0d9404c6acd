"""Time and memory against the longest delay: rows in their processes, bounds, records."""

import json
import sys
from dataclasses import asdict, replace
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from benchmarks import delays
from benchmarks.correctness import Disagreement
from benchmarks.delay_lines import Dcls, Rival, binned
from benchmarks.sizes import Sizes
from benchmarks.step import step
from benchmarks.workloads import Link, build
from tests.support.runs.reading import Capture, Patch, refusal

pytestmark = pytest.mark.full

SMALL = ["--inputs", "20", "--spikes", "400", "--batch", "2", "--duration", "200", "--hidden", "8",
         "--max-delay", "16", "--layers", "1"]
ONE = ["--dtype", "float32", "--threads", "1", "--repeats", "1"]
INSTALLED = find_spec("DCLS") is not None
SIZES = Sizes("shd-like", 2, 20, 400, 200.0, 8, 16.0, layers=2)


def test_the_rival_runs_the_network_of_fast() -> None:
    """Two hidden layers, which spike equally often, within 15 %; every gradient exists."""
    workload = build(SIZES)
    exact = [len(train.times) for train in step(workload).trains]
    assert len(exact) == 2 and all(abs(each / (2 * 8 * 14) - 1) < 0.05 for each in exact)
    if not INSTALLED:
        pytest.skip("the package DCLS is not installed")
    rival = Rival(workload)
    rival().backward()
    assert rival.spikes_seen == pytest.approx(exact, rel=0.15)
    learned = [parameter for parameter in rival.parameters() if parameter.requires_grad]
    assert len(learned) == 5 and all(p.grad is not None and bool(p.grad.any()) for p in learned)


def test_the_place_of_a_gaussian_is_the_delay() -> None:
    if not INSTALLED:
        pytest.skip("the package DCLS is not installed")
    for longest in (6, 7):
        layer = Dcls(Link(torch.ones(1, 1), torch.full((1, 1), 2.0), own=False), longest)
        spikes = torch.zeros(1, 12, 1)
        spikes[0, 4] = 1.0
        assert int(layer(spikes)[0, :, 0].argmax()) == 6


def test_bins_count_every_input_spike() -> None:
    workload = build(SIZES)
    counts = binned(workload)
    assert counts.shape == (20, 200, 2) and int(counts.sum()) == 2 * 400
    first = workload.spikes.train(1, 3).detach()
    assert torch.equal(torch.bincount(first.long(), minlength=200), counts[3, :, 1].long())


def test_rows_are_measured_once_and_recorded(tmp_path: Path, capsys: Capture, monkeypatch: Patch) -> None:
    out = tmp_path / "runs" / "found.jsonl"
    asked = [*SMALL, *ONE, "--out", str(out)]
    systems = ["fast", *["dcls"] * INSTALLED]
    assert delays.main([*asked, "--system", *systems]) == 0
    found = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [one["system"] for one in found] == systems
    for one in found:
        assert one["seconds"] > 0 and one["mib_above_imports"] < 300 < one["mib"] and one["threads"] == 1
        assert one["hidden_spikes_per_trial"] == [pytest.approx(14.0, rel=0.1)] and one["device_name"]
        assert {"python", "torch", "numpy", "numba"} <= one["versions"].keys()
    assert max(found[0]["gradient_error"].values()) < 1e-5
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(systems) and lines[0].startswith("fast, 20-8-20, 16 ms, float32, threads: 1: ")
    monkeypatch.setattr(delays, "in_own_process", lambda *_: pytest.fail("a recorded row ran again"))
    assert delays.main([*asked, "--system", *systems]) == 0


@pytest.mark.parametrize(("options", "failed", "bound"), [
    (["--memory", "0.01"], "needs more than 0.01 GiB", {"gib_bound": 0.01}),
    (["--seconds", "0.5"], "takes more than 0.5 s", {"seconds_bound": 0.5}),
])
def test_a_row_beyond_a_bound_ends_in_one_line_and_the_others_go_on(
    options: list[str], failed: str, bound: dict, tmp_path: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    out = tmp_path / "found.jsonl"
    measured, last = delays.in_own_process, {"seconds": 1.0, "mib_above_imports": 1.0, "hidden_spikes_per_trial": [1.0]}
    only_first = {"float32": measured, "float64": lambda *_: last}
    monkeypatch.setattr(delays, "in_own_process", lambda row, *given: only_first[row.sizes.dtype](row, *given))
    assert delays.main([*SMALL, "--threads", "1", "--system", "fast", "--out", str(out), *options]) == 0
    assert capsys.readouterr().err == f"fast, 20-8-20, 16 ms, float32, threads: 1: {failed}\n"
    first, second = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert {"failed": failed, **bound}.items() <= first.items() and "seconds" not in first
    assert last.items() <= second.items()


def test_a_package_that_is_not_installed_is_left_out(tmp_path: Path, capsys: Capture, monkeypatch: Patch) -> None:
    monkeypatch.setitem(sys.modules, "DCLS.construct.modules", None)
    monkeypatch.setattr(delays, "in_own_process", lambda row, *_: {"failed": row.system})
    out = tmp_path / "found.jsonl"
    assert delays.main([*SMALL, *ONE, "--system", "dcls", "fast", "--out", str(out)]) == 2
    ours, fast = capsys.readouterr().err.splitlines()
    assert "`dcls` must be an installed package, got none of this name; pip install '.[dcls]' of" in ours
    assert fast.endswith(": fast") and len(out.read_text().splitlines()) == 1


def test_a_wrong_gradient_has_no_speed(tmp_path: Path, capsys: Capture, monkeypatch: Patch) -> None:
    def wrong(*_: object) -> None:
        raise Disagreement("gradient of w[0]: error 1")

    monkeypatch.setattr(delays, "in_precision", wrong)
    monkeypatch.setattr(delays.resource, "setrlimit", lambda *_: None)
    row = delays.Row("fast", replace(SIZES, layers=1), torch.get_num_threads())
    delays.worker(json.dumps({**asdict(row), "repeats": 1, "memory": 8.0}))
    found = json.loads(capsys.readouterr().out)
    assert [*found] == ["wrong"]
    monkeypatch.setattr(delays, "in_own_process", lambda *_: found)
    out = tmp_path / "found.jsonl"
    err = refusal(capsys, delays.main, *SMALL, *ONE, "--system", "fast", "--out", out, code=1)
    assert "gradient of w[0]: error 1; no speed is printed for a wrong result" in err and not out.exists()


@pytest.mark.parametrize(("words", "message"), [
    (["--max-delay", "0"], "`--max-delay` must be a whole number from 1"),
    (["--duration", "0"], "`--duration` must be a whole number from 1"),
    (["--threads", "0"], "`--threads` must be a whole number from 1"),
    (["--layers", "0"], "`--layers` must be a whole number from 1"),
    (["--repeats", "0"], "`--repeats` must be a whole number from 1"),
    (["--memory", "0"], "`--memory` must be a finite number above 0 (GiB)"),
    (["--seconds", "-1"], "`--seconds` must be a finite number above 0 (s)"),
    (["--system", "mlgenn"], "argument --system: invalid choice: 'mlgenn'"),
])
def test_bad_options_are_refused(words: list[str], message: str, tmp_path: Path, capsys: Capture) -> None:
    assert message in refusal(capsys, delays.main, "--out", tmp_path / "found.jsonl", *words)


def test_another_file_is_refused(tmp_path: Path, capsys: Capture) -> None:
    for content in ("[1]", "no JSON", "{}"):
        (tmp_path / "other").write_text(content)
        assert "`--out` must be a file of records" in refusal(capsys, delays.main, "--out", tmp_path / "other")
