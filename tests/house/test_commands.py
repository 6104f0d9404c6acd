"""The commands print one JSON object of the specified layout, or one line of error; exit codes."""

import json
import re
from pathlib import Path

import pytest

from delayprop.spec import Case, Population, load_case
from tests import ROOT
from tests.support.commands import refusal_of, result_of, run, skeleton
from tests.support.networks.bad_cases import GOOD
from tests.support.tolerances import U32, U64, WELL_CONDITIONED, relative

CONFORMANCE = ROOT / "spec" / "conformance" / "cases"
COMMANDS = ("reference", "fast.run")
STORED = ("silent-neuron", "skip-and-parallel", "missing-and-free-spikes")
"""Conformance cases: silence, parallel connections, a loss without a readout."""


def specified_layout(case: Case, spikes: dict[str, list[int]]) -> dict:
    """Section 7 of the specification, for a case with these spike counts."""

    def constants(population: Population) -> dict[str, list[float]]:
        keys = ["tau_mem", "tau_syn"] + ["threshold", "reset"] * (population.kind == "lif")
        return {key: [0.0] * population.size for key in keys}

    def synapses(exists: list[list[bool]]) -> list[list[float | None]]:
        return [[0.0 if there else None for there in row] for row in exists]

    receiving = [population for population in case.network.populations if population.kind != "input"]
    trains = {population.name: [[0.0] * count for count in spikes[population.name]] for population in receiving}
    matrices = [synapses(connection.exists.tolist()) for connection in case.network.connections]
    read = case.network.population(case.loss.population)
    return {
        "loss": 0.0,
        "spikes": trains,
        "readout": [0.0] * read.size if hasattr(case.loss, "readout") else None,
        "kappa_min": 0.0 if any(any(counts) for counts in spikes.values()) else None,
        "kappa": trains,
        "ties": [],
        "gradients": {
            "connections": [{"weights": matrix, "delays": matrix} for matrix in matrices],
            "populations": {population.name: constants(population) for population in receiving},
            "inputs": {name: [[0.0] * len(train) for train in given] for name, given in case.inputs.items()},
        },
    }


@pytest.mark.parametrize("name", STORED)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_result_has_the_layout_of_the_specification(command: str, name: str) -> None:
    path = CONFORMANCE / f"{name}.json"
    case, found = load_case(path), result_of(run(command, path))
    assert case.expected is not None
    counts = {population: [len(train) for train in trains] for population, trains in case.expected["spikes"].items()}
    assert json.dumps(skeleton(found)) == json.dumps(specified_layout(case, counts))
    assert found["loss"] == pytest.approx(case.expected["loss"], rel=relative(U64, case.expected["kappa_min"]))


def flattened(value: object) -> list[float]:
    if isinstance(value, dict):
        return [number for entry in value.values() for number in flattened(entry)]
    if isinstance(value, list):
        return [number for entry in value for number in flattened(entry)]
    return [value] if isinstance(value, float) else []


@pytest.mark.parametrize(
    ("command", "options", "error"),
    [("reference", ("--digits", 30), WELL_CONDITIONED), ("fast.run", ("--dtype", "float32"), 100 * U32)],
    ids=["digits", "dtype"],
)
def test_another_precision_gives_almost_the_same_numbers(command: str, options: tuple, error: float) -> None:
    """An ignored option would leave every number unchanged."""
    path = CONFORMANCE / "skip-and-parallel.json"
    plain, other = (flattened(result_of(run(command, *chosen, path))) for chosen in ((), options))
    assert other != plain
    assert other == pytest.approx(plain, rel=error, abs=error)


def test_the_device_can_be_named() -> None:
    path = CONFORMANCE / "one-neuron.json"
    assert run("fast.run", "--device", "cpu", "--dtype", "float64", path).stdout == run("fast.run", path).stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help(command: str) -> None:
    done = run(command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: python -m {command} ") and "CASE.json" in done.stdout


def changed_case(path: Path, weight: object) -> Path:
    document = json.loads(json.dumps(GOOD))
    document["connections"][0]["weights"][0][0] = weight
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_a_bad_case_is_one_line_and_exit_code_2(command: str, tmp_path: Path) -> None:
    path = changed_case(tmp_path / "case.json", "heavy")
    line = refusal_of(run(command, path), command)
    assert line == "`connections[0].weights[0][0]` must be a finite number, got 'heavy'; give a plain number"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_result_that_is_not_finite_is_one_line_and_exit_code_3(command: str, tmp_path: Path) -> None:
    path = changed_case(tmp_path / "case.json", 1e18)
    line = refusal_of(run(command, path), command, 3)
    assert "spikes too fast, or without end; lower its weights" in line


REFUSED: dict[str, tuple[str, list[str], str]] = {
    "no case": ("reference", [], "the following arguments are required: CASE.json"),
    "missing file": ("reference", ["nowhere.json"], "`nowhere.json` must be a readable case file, got No such file"),
    "two cases": ("reference", ["CASE", "CASE"], "unrecognized arguments: "),
    "unknown option": ("reference", ["--dtype", "float32", "CASE"], "unrecognized arguments: --dtype"),
    "abbreviated option": ("reference", ["--digit", "20", "CASE"], "unrecognized arguments: --digit"),
    "digits no number": ("reference", ["--digits", "many", "CASE"], "argument --digits: invalid int value: 'many'"),
    "too few digits": ("reference", ["--digits", "5", "CASE"], "`digits` must be a whole number from 16 .* got 5"),
    "unknown dtype": ("fast.run", ["--dtype", "float16", "CASE"], "argument --dtype: invalid choice: 'float16'"),
    "unknown device": ("fast.run", ["--device", "tpu", "CASE"], "argument --device: invalid choice: 'tpu'"),
    "no CUDA": ("fast.run", ["--device", "cuda", "CASE"], "`device` cuda needs .*; .*use the CPU"),
}
FILES = {"CASE": "one-neuron"}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_are_one_line_and_exit_code_2(name: str) -> None:
    command, arguments, message = REFUSED[name]
    paths = [CONFORMANCE / f"{FILES[a]}.json" if a in FILES else a for a in arguments]
    assert re.search(message, refusal_of(run(command, *paths), command))
