"""Time and memory against the longest delay: rows in their processes, bounds, records, pictures."""

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import pad

from benchmarks import delay_lines, delays
from benchmarks.correctness import Disagreement
from benchmarks.delay_lines import Dcls, Line, Rival, binned
from benchmarks.sizes import Sizes
from benchmarks.step import step
from benchmarks.workloads import Link, build
from delayprop.spec import SpecError
from tests.support.runs.reading import Capture, Patch, refusal

pytestmark = pytest.mark.full

SMALL = ["--inputs", "20", "--spikes", "400", "--batch", "2", "--duration", "200", "--hidden", "8",
         "--max-delay", "16", "--layers", "1"]
ONE = ["--dtype", "float32", "--threads", "1", "--repeats", "1"]
SIZES = Sizes("shd-like", 2, 20, 400, 200.0, 8, 16.0, layers=2)


def naive(spikes: Tensor, w: Tensor, d: Tensor, longest: int) -> Tensor:
    """The delay line, bin by bin: `spikes [pre, bins, trials]`, `w` and `d [post, pre]`."""
    line, bins, low = pad(spikes, (0, 0, longest + 1, 0)), spikes.shape[1], d.detach().floor().long()
    arriving = []
    for w_in, d_in, low_in in zip(w, d, low):
        total = torch.zeros_like(spikes[0])
        for i in range(len(w_in)):
            start, share = longest + 1 - int(low_in[i]), d_in[i] - low_in[i]
            at, before = line[i, start : start + bins], line[i, start - 1 : start - 1 + bins]
            total = total + w_in[i] * ((1 - share) * at + share * before)
        arriving.append(total)
    return torch.stack(arriving)


def test_a_delay_line_is_the_sum_over_synapses_and_so_are_its_gradients(monkeypatch: Patch) -> None:
    monkeypatch.setattr(delay_lines, "compiled", lambda function: function)
    random = torch.Generator().manual_seed(0)
    spikes = torch.randint(0, 3, (5, 30, 2), generator=random).double().requires_grad_()
    w, d = (torch.rand(5, 4, generator=random, dtype=torch.float64) for _ in range(2))
    line = Line(Link(w, 7 * d, own=False), 7)
    g = torch.randn(4, 30, 2, generator=random, dtype=torch.float64)
    found, expected = line(spikes), naive(spikes, line.w, line.d, 7)
    assert torch.allclose(found, expected, rtol=0.0, atol=1e-13)
    parameters = (spikes, line.w, line.d)
    for mine, true in zip(torch.autograd.grad(found, parameters, g), torch.autograd.grad(expected, parameters, g)):
        assert torch.allclose(mine, true, rtol=0.0, atol=1e-12) and bool(true.any())


def test_the_rivals_run_the_network_of_fast(monkeypatch: Patch) -> None:
    """Two hidden layers, which spike equally often, within 15 %; every gradient exists."""
    monkeypatch.setattr(delay_lines, "compiled", lambda function: function)
    workload = build(SIZES)
    exact = [len(train.times) for train in step(workload).trains]
    assert len(exact) == 2 and all(abs(each / (2 * 8 * 14) - 1) < 0.05 for each in exact)
    kinds: list[type[Dcls] | type[Line]] = [Line] if refused(Dcls) else [Line, Dcls]
    for kind in kinds:
        rival = Rival(workload, kind)
        rival().backward()
        assert rival.spikes_seen == pytest.approx(exact, rel=0.15)
        learned = [parameter for parameter in rival.parameters() if parameter.requires_grad]
        assert len(learned) == 5 and all(p.grad is not None and bool(p.grad.any()) for p in learned)


def test_the_place_of_a_gaussian_is_the_delay() -> None:
    if refused(Dcls):
        pytest.skip("the package DCLS is not installed")
    for longest in (6, 7):
        layer = Dcls(Link(torch.ones(1, 1), torch.full((1, 1), 2.0), own=False), longest)
        spikes = torch.zeros(1, 12, 1)
        spikes[0, 4] = 1.0
        assert int(layer(spikes)[0, :, 0].argmax()) == 6


def refused(kind: type[Dcls] | type[Line]) -> bool:
    try:
        delays.check_installed(kind)
    except SpecError:
        return True
    return False


def test_bins_count_every_input_spike() -> None:
    workload = build(SIZES)
    counts = binned(workload)
    assert counts.shape == (20, 200, 2) and int(counts.sum()) == 2 * 400
    first = workload.spikes.train(1, 3).detach()
    assert torch.equal(torch.bincount(first.long(), minlength=200), counts[3, :, 1].long())
    with pytest.raises(SpecError, match=r"`--spikes` must be at most 127 per input and bin of 1 ms, got \d{3}"):
        binned(build(Sizes("shd-like", 1, 1, 400, 2.0, 2, 1.0, w_mean=0.1)))


def test_rows_are_measured_once_and_recorded(tmp_path: Path, capsys: Capture, monkeypatch: Patch) -> None:
    out = tmp_path / "runs" / "found.jsonl"
    asked = [*SMALL, *ONE, "--out", str(out)]
    systems = ["fast", "line", *([] if refused(Dcls) else ["dcls"])]
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


@pytest.mark.parametrize(("system", "message"), [
    ("dcls", "`dcls` must be an installed package, got none of this name; pip install '.[dcls]' of"),
    ("line", "`line` must be compiled by a C++ compiler, got no nocompiler; install g++, or name your"),
])
def test_a_system_that_is_not_installed_is_left_out(
    system: str, message: str, tmp_path: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    monkeypatch.setitem(sys.modules, "DCLS.construct.modules", None)
    monkeypatch.setenv("CXX", "nocompiler")
    monkeypatch.setattr(delays, "in_own_process", lambda row, *_: {"failed": row.system})
    out = tmp_path / "found.jsonl"
    assert delays.main([*SMALL, *ONE, "--system", system, "fast", "--out", str(out)]) == 2
    ours, fast = capsys.readouterr().err.splitlines()
    assert message in ours and fast.endswith(": fast") and len(out.read_text().splitlines()) == 1


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


def record(system: str, max_delay: float, **found: object) -> dict:
    sizes = replace(SIZES, layers=1, max_delay=max_delay)
    return {**delays.Row(system, sizes, 1).key, "device_name": "one", **found}


def test_a_picture_shows_the_records_and_the_bounds(tmp_path: Path, capsys: Capture) -> None:
    known = [record(system, delay, seconds=s * delay, mib_above_imports=10 * s * delay)
             for system, s in (("fast", 1.0), ("line", 5.0), ("dcls", 20.0)) for delay in (16.0, 32.0)]
    failed = [record("dcls", 64.0, failed="", gib_bound=2.0), record("line", 64.0, failed="", seconds_bound=9.0)]
    other = [{**record("fast", 128.0, seconds=1.0, mib_above_imports=1.0), "layers": 2}]
    figure = delays.picture([*known, *failed, *other], replace(SIZES, layers=1))
    curves = [
        {tuple(np.asarray(line.get_xydata())[-1]): line.get_marker() for line in axes.get_lines()}
        for axes in figure.axes
    ]
    assert curves == [
        {(32.0, 32.0): ".", (32.0, 160.0): ".", (32.0, 640.0): ".", (64.0, 9.0): "^"},
        {(32.0, 320.0): ".", (32.0, 1600.0): ".", (32.0, 6400.0): ".", (64.0, 2048.0): "^"},
    ]
    labels = [text.get_text() for text in figure.axes[1].texts]
    assert labels == ["fast", "DCLS", "more than 2 GiB", "delay line,\ncompiled"]
    out = tmp_path / "found.jsonl"
    out.write_text("".join(json.dumps(one) + "\n" for one in [*known, {"system": "mlgenn", "source": "elsewhere"}]))
    drawn = [*SMALL, "--out", out, "--picture", tmp_path / "delays.svg"]
    assert delays.main([*map(str, drawn)]) == 0
    assert b"<svg" in (tmp_path / "delays.svg").read_bytes()
    out.write_text(json.dumps({**known[0], "device_name": "two"}) + "\n" + json.dumps(known[1]) + "\n")
    assert "got those of 2 machines; measure them first" in refusal(capsys, delays.main, *drawn)


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
