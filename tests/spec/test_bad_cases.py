"""Bad cases are refused with one sentence, by the types and by both command lines."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import delayprop.fast.run
import delayprop.reference.__main__
from delayprop.spec import Network, Population, SpecError, load_case
from delayprop.spec.case import case_from_text
from delayprop.spec.command import guarded
from tests.support.networks.bad_cases import GOOD, BadCase, bad_cases, changed
from tests.support.report_evidence import Measured
from tests.support.runs.reading import Capture, refusal

CATALOGUE = list(bad_cases())
COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "python -m reference": delayprop.reference.__main__.main,
    "python -m fast.run": delayprop.fast.run.main,
}

GOOD_VARIANTS: dict[str, dict] = {
    "as it is": GOOD,
    "silent input": changed("inputs.in", [[], []]),
    "equal times": changed("inputs.in[0]", [0.5, 0.5]),
    "times after the end": changed("inputs.in[0]", [1e6, 2e6]),
    "delay 0": changed("connections[1].delays", 0),
    "whole numbers": changed("duration", 40),
    "one constant per neuron": changed("populations[1].tau_mem", [20, 21.0, 22.5]),
    "negative reset": changed("populations[1].reset", [-1.0, 0.5, 0]),
    "equal time constants": changed("populations[1].tau_syn", 20.0),
    "no connections": changed("connections", []),
    "no synapse in a row": changed("connections[0].weights[0]", [None, None, None]),
    "expected results": changed("expected", {"loss": 1.0}),
    "name in any letters": json.loads(json.dumps(GOOD).replace('"out"', '"\u00e4\u2014\\n\u03bb"')),
}


@pytest.mark.check(21)
@pytest.mark.parametrize("bad", CATALOGUE, ids=lambda bad: bad.name.replace(" ", "_"))
def test_refused_alike_by_all(bad: BadCase, tmp_path: Path, capsys: Capture, measured: Measured) -> None:
    path = tmp_path / "case.json"
    path.write_bytes(bad.content)
    with pytest.raises(SpecError) as caught:
        load_case(path)
    sentence = str(caught.value)
    assert bad.message in sentence
    assert len(sentence.splitlines()) == 1 and len(sentence) < 250 + len(str(path))
    for program, main in COMMANDS.items():
        assert refusal(capsys, main, path) == f"{program}: {sentence}\n"
    measured(0, 0, 1)


@pytest.mark.check(21, control=True)
@pytest.mark.parametrize("document", GOOD_VARIANTS.values(), ids=[name.replace(" ", "_") for name in GOOD_VARIANTS])
def test_good_variants_are_accepted(document: dict, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "case.json"
    path.write_text(json.dumps(document))
    losses = []
    for main in COMMANDS.values():
        assert main([str(path)]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        losses.append(json.loads(out)["loss"])
    assert losses[1] == pytest.approx(losses[0], rel=1e-12)


@pytest.mark.parametrize("name", ["missing.json", ".", "case.json/inside.json", "a\nb.json", "x" * 5000])
def test_no_file(name: str, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "case.json").write_text(json.dumps(GOOD))
    for main in COMMANDS.values():
        assert "must be a readable case file, got " in refusal(capsys, main, tmp_path / name)


LONG = "V" * 1_000_000
READ = {**GOOD["loss"], "population": LONG, "label": 9}
OUT = {**GOOD["populations"][2], "name": LONG}
LONG_NAMES: dict[str, dict] = {
    "a key": {**GOOD, LONG: 1},
    "a key of a loss": changed(f"loss.{LONG}", 1),
    "a population": changed("populations[1].name", LONG),
    "a population that is read": {**GOOD, "populations": [*GOOD["populations"][:2], OUT], "connections": [],
                                  "loss": READ},
    "an input": changed(f"inputs.{LONG}", []),
    "a state": changed("populations[1]", {"name": "hid", "kind": "neuron", "size": 3, "constants": {},
                                          "neuron": {"rates": {LONG: "0"}}}),
    "a constant": changed("populations[1]", {"name": "hid", "kind": "neuron", "size": 3, "neuron": "lif",
                                             "constants": {LONG: 1.0}}),
    "an escape": changed(f"inputs.{chr(27) * 1000}", []),
}


@pytest.mark.parametrize("text", [*map(json.dumps, LONG_NAMES.values()), f'{{"{LONG}": 1, "{LONG}": 2}}'],
                         ids=[*LONG_NAMES, "a key twice"])
def test_a_long_name_is_shortened(text: str) -> None:
    with pytest.raises(SpecError) as caught:
        case_from_text(text)
    assert len(str(caught.value)) < 400 and "..." in str(caught.value)


def test_the_line_of_a_command_is_short(capsys: Capture) -> None:
    """Errors of arithmetic name populations."""
    def body() -> int:
        raise ArithmeticError(f"`{LONG}[3]` at 1 ms spikes too fast")

    assert guarded("run", body) == 3
    line = capsys.readouterr().err
    assert len(line) < 400 and line.startswith("run: `VV") and line.endswith("V[3]` at 1 ms spikes too fast\n")


def twice_in_an_object(n: int) -> Callable[[], object]:
    text = json.dumps({f"key{k}": k for k in range(n)})[:-1] + f', "key{n - 1}": 0}}'
    return lambda: case_from_text(text)


def twice_in_a_network(n: int) -> Callable[[], object]:
    populations = [Population(f"name{p}", "input", 1) for p in range(n)]
    return lambda: Network((*populations, populations[0]), ())


@pytest.mark.parametrize("made", [twice_in_an_object, twice_in_a_network])
def test_a_name_that_stands_twice_is_found_in_linear_time(made: Callable[[int], Callable[[], object]]) -> None:
    """Quadratic time is 100 times as long."""
    def seconds(refused: Callable[[], object]) -> float:
        began = time.process_time()
        with pytest.raises(SpecError, match=r"given once|no other has"):
            refused()
        return time.process_time() - began

    few, many = made(1000), made(10_000)
    assert min(seconds(many) for _ in range(5)) < 50 * min(seconds(few) for _ in range(5))
