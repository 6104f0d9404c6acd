"""A run of several processes equals the run of one, and each continues the other."""

import socket
import subprocess
from pathlib import Path

import pytest

from delayprop.fast.training.checkpoints import Checkpoints, digest
from tests.support.commands import python
from tests.support.forking import started
from tests.support.runs.reading import history, repeated, result
from tests.support.runs.written_files import splits
from tests.support.tolerances import U64, identity

OPTIONS = [
    "--task", "spikes", "--hidden", "6", "--batch", "9", "--lr", "0.01", "--dtype", "float64", "--save-seconds", "0",
    "--spikes-strength", "0.01", "--shift", "1", "--spread", "0.2", "--stretch", "0.1", "--blend", "0.5",
    "--drop", "0.1", "--wake", "0.01", "--recurrent", "--rec-sd", "0.2", "--dropout", "0.2", "--pool", "2",
    "--average", "0.9", "--label-smoothing", "0.1", "--warm-up", "1", "--clip", "0.5", "--learn-constants",
    "--constants-lr", "0.05",
]
UNDRAWN = "tests.support.runs.short_runs"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
TORCHRUN = ["-m", "torch.distributed.run", "--nproc-per-node"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("processes")
    splits(path, 31, "train", "test")
    return path


@pytest.fixture(scope="module")
def one(folder: Path) -> str:
    """The end of a run of one process."""
    return train(folder, "one", 1, 3)


def given(folder: Path, run: str, epochs: int, *more: str) -> list[str]:
    data = ["--data", str(folder / "train.h5"), str(folder / "test.h5"), "--out", str(folder / run)]
    return [*OPTIONS, *data, "--epochs", str(epochs), *more]


def train(folder: Path, run: str, processes: int, epochs: int, *more: str, says: str = "") -> str:
    """Trains; returns the end of the run."""
    first, *others = forked(folder, processes, *given(folder, run, epochs, *more))
    assert all(one.returncode in (0, 1) for one in (first, *others)), first.stderr
    assert says in first.stdout and not any(one.stdout for one in others)
    return end(folder, run)


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return str(free.getsockname()[1])


def forked(folder: Path, processes: int, *options: str) -> list[subprocess.CompletedProcess[str]]:
    shared = {"WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port()}
    children = [
        started(f"{UNDRAWN}:undrawn", *options, folder=folder, environment={**shared, "RANK": str(rank)})
        for rank in range(processes)
    ]
    return [child.wait() for child in children]


def assert_alike(folder: Path, run: str, other: str) -> None:
    """Two runs log equal epochs, and end alike, up to rounding."""
    ends = [Checkpoints(folder / name).load()[0]["training"]["network"] for name in (run, other)]
    assert ends[0].keys() == ends[1].keys()
    assert max(float((ends[0][name] - ends[1][name]).abs().max()) for name in ends[0]) < 1e-9
    for two, one in zip(history(folder / run), history(folder / other), strict=True):
        assert one["spikes_per_neuron"] == two["spikes_per_neuron"] and one["silent"] == two["silent"]
        assert one["valid_accuracy"] == two["valid_accuracy"]
        assert two["train_loss"] == pytest.approx(one["train_loss"], rel=1e-9)
        assert two["A"] <= identity(U64) and two["B"] <= identity(U64)
    two, one = (repeated(result(folder / name)) for name in (run, other))
    assert two == one and one["arrivals_per_trial"] > 0


@pytest.mark.full
def test_two_processes_learn_what_one_learns(folder: Path) -> None:
    train(folder, "short", 1, 1)
    done = python(*TORCHRUN, "2", "--standalone", "-m", UNDRAWN, *given(folder, "two", 1), folder=folder, **ONE_THREAD)
    assert done.returncode in (0, 1), done.stderr
    assert done.stdout.count("state sha256") == 1, "one process prints"
    assert_alike(folder, "two", "short")


@pytest.fixture(scope="module")
def pair(folder: Path) -> str:
    """A run that `--resume` starts in both processes."""
    return train(folder, "pair", 2, 3, "--resume", says="no checkpoint in")


@pytest.mark.full
def test_two_processes_that_are_resumed_end_in_the_same_bits(one: str, pair: str, folder: Path) -> None:
    """They also end as one process does. One test: each worker of pytest would train both anew."""
    assert train(folder, "pair resumed", 2, 1) != pair
    assert train(folder, "pair resumed", 2, 3, "--resume", says="resumed after step") == pair
    assert_alike(folder, "pair", "one")


@pytest.mark.full
@pytest.mark.parametrize("order", [(1, 2), (2, 1)], ids=["one, then two", "two, then one"])
def test_a_run_goes_on_with_another_number_of_processes(order: tuple[int, int], one: str, folder: Path) -> None:
    run = f"then {order[1]}"
    train(folder, run, order[0], 1)
    train(folder, run, order[1], 3, "--resume", says="resumed after step")
    assert_alike(folder, run, "one")


@pytest.mark.full
@pytest.mark.parametrize("how", ["plain", "standalone"])
def test_a_process_that_is_lost_is_started_again(how: str, pair: str, folder: Path) -> None:
    """`torchrun --max-restarts`: process 2 of the first attempt dies in its second epoch."""
    driver = folder / "dies.py"
    driver.write_text(
        "import itertools, os, pytest, sys\n"
        "from delayprop.fast.training.epoch import Epoch\n"
        "from tests.support.runs.reading import calls\n"
        "from tests.support.runs.short_runs import undrawn\n"
        "if os.environ['RANK'] == '1' and os.environ['TORCHELASTIC_RESTART_COUNT'] == '0':\n"
        "    step = itertools.count(1)\n"
        "    calls(pytest.MonkeyPatch(), Epoch, 'add', lambda *_, **named: next(step) < 6 or os._exit(9))\n"
        "sys.exit(min(undrawn(*sys.argv[1:]), 0))\n"
    )
    where = ["--standalone"] if how == "standalone" else ["--master-port", free_port()]
    run = f"lost {how}"
    words = [*TORCHRUN, "2", "--max-restarts", "1", *where, driver, *given(folder, run, 3)]
    done = python(*words, folder=folder, **ONE_THREAD)
    assert done.returncode == 0, done.stderr
    assert "resumed after step" in done.stdout
    assert end(folder, run) == pair


def test_a_batch_too_small_for_all(folder: Path) -> None:
    first, other = forked(folder, 2, "--task", "yin-yang", "--batch", "1")
    assert first.returncode == other.returncode == 2
    assert "`--batch` must be a trial for each of 2 processes" in first.stderr
    assert not (folder / "runs").exists()


@pytest.mark.full
def test_the_same_command_ends_in_the_same_state(one: str, folder: Path) -> None:
    assert train(folder, "workers", 1, 3, "--workers", "4") == one


@pytest.mark.full
def test_the_seed_of_hashes_changes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in ("0", "1"):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        done = python("-m", UNDRAWN, *given(folder, f"hash{seed}", 1), folder=folder, **ONE_THREAD)
        assert done.returncode in (0, 1), done.stderr
    assert end(folder, "hash0") == end(folder, "hash1")


def end(folder: Path, run: str) -> str:
    return digest(Checkpoints(folder / run).load()[0]["training"])
