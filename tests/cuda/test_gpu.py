"""The CUDA kernels on a GPU (`make test-gpu`): equal to `reference`, repeatable, on any stream."""

import pytest
import torch
from torch import Tensor

import delayprop.reference as reference
from delayprop.fast import LI, LIF, Spikes, cross_entropy
from delayprop.fast.run import run_case
from tests.support.comparison import assert_same_results
from tests.support.float32 import Float32
from tests.support.networks.strategies import families, seeded_case

no_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU")
pytestmark = [pytest.mark.check(19), pytest.mark.gpu, no_gpu]

SEEDS = 25


@pytest.mark.parametrize("family", families())
def test_float64_on_seeded_networks(family: str) -> None:
    for seed in range(SEEDS):
        case = seeded_case(seed, family)
        found, true = run_case(case, device="cuda"), reference.run(case)
        assert found.ties == true.ties
        assert_same_results(case, found, true)


def test_float32_on_seeded_networks() -> None:
    seen = Float32(device="cuda")
    for family in families():
        for seed in range(SEEDS):
            seen.add(seeded_case(seed, family), f"{family} {seed}")
    assert len(seen.errors) >= 200
    seen.judge()


def step(device: str, trials: int = 64, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """Readout and gradients of a network of 100 hidden neurons, some hundred spikes per trial."""
    draw = torch.Generator().manual_seed(1)
    trains = [
        [sorted((60.0 * torch.rand(5, generator=draw, dtype=torch.float64)).tolist()) for _ in range(40)]
        for _ in range(trials)
    ]
    spikes = Spikes.from_trains(trains, 80.0).to(device)
    hidden = LIF(40, 100, dtype=dtype).initialise_(0.3, 0.2, 20.0, draw).to(device).requires_grad_()
    out = LI(100, 10, readout="max_voltage", dtype=dtype).initialise_(0.1, 0.1, 5.0, draw).to(device).requires_grad_()
    inner = hidden(spikes)
    y = out(inner)
    loss = cross_entropy(y, torch.arange(trials, device=device) % 10)
    assert int(inner.counts().sum()) > trials
    return [y.detach(), *torch.autograd.grad(loss, [*hidden.parameters(), *out.parameters()])]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_bitwise_the_same_twice(dtype: torch.dtype) -> None:
    assert all(map(torch.equal, step("cuda", dtype=dtype), step("cuda", dtype=dtype)))


def test_float64_is_what_the_cpu_finds() -> None:
    for found, expected in zip(step("cuda", dtype=torch.float64), step("cpu", dtype=torch.float64), strict=True):
        assert float((found.cpu() - expected).norm()) <= 1e-9 * float(expected.norm())


@pytest.mark.check(19, control=True)
def test_control_float32_is_not_what_the_cpu_finds_in_float64() -> None:
    pairs = zip(step("cuda"), step("cpu", dtype=torch.float64), strict=True)
    assert any(float((found.cpu().double() - true).norm()) > 1e-9 * float(true.norm()) for found, true in pairs)


def test_on_a_stream_of_its_own() -> None:
    """Kernels wait for the current stream of torch, and torch waits for kernels."""
    expected, stream = step("cuda"), torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        torch.cuda._sleep(10_000_000)
        found = step("cuda")
    stream.synchronize()
    assert all(map(torch.equal, found, expected))
