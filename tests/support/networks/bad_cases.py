"""Cases that must be refused, each with its message."""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

LIF: dict = {"kind": "lif", "size": 3, "tau_mem": 20.0, "tau_syn": 5.0, "threshold": 1.0, "reset": 0.0}
GOOD: dict = {
    "format": "eventprop-case/1",
    "duration": 40.0,
    "populations": [
        {"name": "in", "kind": "input", "size": 2}, {"name": "hid", **LIF},
        {"name": "out", "kind": "li", "size": 2, "tau_mem": 20.0, "tau_syn": [5.0, 6.0]},
    ],
    "connections": [
        {
            "source": "in", "target": "hid", "weights": [[8.0, 6.0, None], [-2.0, 7.0, 9.0]],
            "delays": [[0.0, 1.5, None], [2.0, 3.0, 50.0]],
        },
        {"source": "hid", "target": "out", "weights": [[1.0, -1.0], [0.5, 2.0], [0.0, 1.0]], "delays": 1.0},
    ],
    "inputs": {"in": [[0.5, 7.25], [3.0]]},
    "loss": {"kind": "cross_entropy", "readout": "max_voltage", "population": "out", "label": 0},
}
_TEXT = json.dumps(GOOD).encode()

_THREE_POPULATIONS = {
    **GOOD,
    "populations": [GOOD["populations"][0], *({"name": name, **LIF, "size": 1} for name in ("a", "b", "c"))],
    "connections": [
        {"source": source, "target": target, "weights": [[1.0]], "delays": delay}
        for source, target, delay in (
            ("a", "c", 0.0), ("a", "b", 0.0), ("b", "b", 1.0), ("b", "c", 0.0), ("c", "a", 0.0),
        )
    ],
}

ABSENT = object()
INF, NAN = math.inf, math.nan

_NO_KEY = "is no key here; the keys are "
_TIME = "a finite number of at least 0 (ms), got "
_POSITIVE = "a finite number above 0 (ms), got "
_LOOP = "without a loop of zero total delay, got "
_SPIKES: dict = {"kind": "spike_time_mse", "population": "hid", "targets": [[1.0], [2.0], []]}
_FIRST: dict = {"kind": "cross_entropy", "readout": "first_spike_time", "population": "hid", "label": 0,
                "time_scale": 5.0}
_RELATIVE: dict = {"kind": "relative_spike_time_mse", "population": "hid", "label": 0, "margin": 2.0}
_SAMPLES: dict = {"kind": "voltage_mse", "population": "out", "times": [3.0, 9.0], "targets": [[0.5, 0.1], [0.1, 0.2]]}
_OWN: dict = {"name": "hid", "kind": "neuron", "size": 3, "constants": {"v_th": 1.0, "v_reset": 0.0},
              "neuron": {"rates": {"V": "I - V  # no leak", "I": "-I / 5"}}}
_NONE = [None, None, None]
_NEEDED = (
    "format", "duration", "loss", "populations[1].name", "populations[1].kind", "populations[1].tau_syn",
    "connections[1].delays", "loss.label", "loss.kind",
)


def _recurrent(weights: list, delays: object) -> dict:
    return {"source": "hid", "target": "hid", "weights": weights, "delays": delays}


CHANGES: tuple[tuple, ...] = (
    *((f"unknown {path}", path, 1.0, _NO_KEY)
      for path in ("dt", "populations[1].refractory", "connections[0].mask", "loss.weight")),
    *((f"no {path}", path, ABSENT, "given, got nothing") for path in _NEEDED),
    ("line break in a key", "two\nlines", 1, _NO_KEY, "two lines"),
    ("threshold of li", "populations[2].threshold", 1.0, _NO_KEY),
    ("constant of input", "populations[0].tau_mem", 20.0, _NO_KEY),
    ("other format", "format", "eventprop-case/2", "one of eventprop-case/1, got 'eventprop-case/2'"),
    ("null constant", "populations[1].reset", None, "a number, or one number for each neuron, got null"),
    ("boolean duration", "duration", True, _POSITIVE + "True"),
    ("zero duration", "duration", 0, _POSITIVE + "0.0"),
    ("infinite duration", "duration", INF, _POSITIVE + "inf"),
    ("boolean size", "populations[1].size", True, "a whole number from 1 to 10000000, got True"),
    ("huge size", "populations[1].size", 10**12, "a whole number from 1 to 10000000, got 1000000000000"),
    ("empty name", "populations[1].name", "", "a string that is not empty, got ''"),
    ("duplicate name", "populations[2].name", "hid", "a name that no other has, got 'hid'"),
    ("wrong kind", "populations[1].kind", "alif", "one of input, lif, li, neuron, got 'alif'"),
    ("zero tau_mem", "populations[1].tau_mem", 0.0, _POSITIVE + "0.0"),
    ("negative tau_syn", "populations[2].tau_syn[1]", -6.0, _POSITIVE + "-6.0"),
    ("nan tau_mem", "populations[1].tau_mem", NAN, _POSITIVE + "nan"),
    ("too few constants", "populations[1].tau_mem", [20.0, 21.0], "a list of 3, one for each neuron, got a list of 2"),
    ("ragged constants", "populations[1].tau_mem[0]", [[1.0], [2.0, 3.0]], _POSITIVE + "a list of 2"),
    ("reset at threshold", "populations[1].reset", 1.0, "below the threshold 1.0, got 1.0", "populations[1].reset[0]"),
    ("reset above one", "populations[1].reset", [0, 2, 0], "below the threshold 1.0, got 2.0",
     "populations[1].reset[1]"),
    ("zero threshold", "populations[1].threshold", 0, "a finite number above 0, got 0.0"),
    ("comment in an equation", "populations[1]", _OWN, "an equation of numbers, names, + - * / and "
     "brackets, got '#'; write it out", 'populations[1].neuron.rates["V"]'),
    ("no populations", "populations", [], "a list of at least one population, got none"),
    ("populations as object", "populations", {"in": 2}, "a list of populations, got an object"),
    ("number as population", "populations[1]", 3, "an object, got 3"),
    ("unknown source", "connections[0].source", "inputs", "one of in, hid, got 'inputs'"),
    ("li as source", "connections[1].source", "out", "one of in, hid, got 'out'"),
    ("input as target", "connections[1].target", "in", "one of hid, out, got 'in'"),
    ("boolean weight", "connections[0].weights[1][2]", True, "a finite number, got True"),
    ("text as weight", "connections[0].weights[0][0]", "heavy", "a finite number, got 'heavy'; give a plain number"),
    ("nan weight", "connections[0].weights[0][1]", NAN, "a finite number, got nan"),
    ("integer beyond float64", "connections[0].weights[0][1]", 10**400, "a finite number, got inf"),
    ("vector of weights", "connections[0].weights[0]", 8.0, "a list of numbers, one per target neuron, got 8.0"),
    ("ragged weights", "connections[0].weights[1]", [1.0], "a list of 3, one for each target neuron, got a list of 1"),
    ("weights of too few rows", "connections[0].weights", [[1.0, 2.0, 3.0]], "a list of 1, one for each source",
     "connections[0].delays"),
    ("weights of other size", "connections[1].weights", [[1.0], [2.0]], "a matrix of 3 rows (source) and 2 columns"),
    ("empty weights", "connections[1].weights", [], "a list of rows, got an empty list"),
    ("ragged delays", "connections[0].delays[1]", [2.0], "a list of 3, one for each target neuron, got a list of 1"),
    ("ragged list of delays", "connections[0].delays", [[0.0], 1.0], "a list of 3, one for each",
     "connections[0].delays[0]"),
    ("negative delay", "connections[0].delays[1][1]", -0.5, _TIME + "-0.5"),
    ("nan delay", "connections[0].delays[1][1]", NAN, _TIME + "nan"),
    ("null delay of a synapse", "connections[0].delays[1][1]", None, _TIME + "null"),
    ("negative delay of no synapse", "connections[0].delays[0][2]", -1.0, _TIME + "-1.0"),
    ("instant loop of one", "connections[1]", _recurrent([_NONE, [None, 1.0, None], _NONE], 0.0),
     _LOOP + "hid[1] -> hid[1]", "connections"),
    ("instant loop of weight 0", "connections[1]", _recurrent([[0.0, None, None], _NONE, _NONE], 0),
     _LOOP + "hid[0] -> hid[0]", "connections"),
    (
        "instant loop of two",
        "connections[1]",
        _recurrent([[None, 1.0, None], [1.0, None, None], [2.0, None, None]],
                   [[9.0, 0.0, None], [0.0, 9.0, 1.0], [1.0] * 3]),
        _LOOP + "hid[0] -> hid[1] -> hid[0]",
        "connections",
    ),
    ("no trains", "inputs.in", ABSENT, "given: `in` is a population of kind `input`, got nothing"),
    ("too few trains", "inputs.in", [[0.5]], "a list of 2 spike trains, one for each neuron, got a list of 1"),
    ("trains of lif", "inputs.hid", [[], [], []],
     "absent: no population of kind `input` has this name, got spike trains"),
    ("trains of nothing", "inputs.inn", [[]], "absent: no population of kind `input` has this name, got spike trains"),
    ("inputs as list", "inputs", [[0.5], [3.0]], "an object, got a list of 2"),
    ("trains as number", "inputs.in", 3.0, "a list of spike trains, one per neuron, got 3.0"),
    ("train as number", "inputs.in[1]", 3.0, "a list of spike times, got 3.0"),
    ("unsorted times", "inputs.in[0]", [0.5, 7.25, 3.0], "at least the time before it, 7.25, got 3.0",
     "inputs.in[0][2]"),
    ("negative time", "inputs.in[0][0]", -0.5, _TIME + "-0.5"),
    ("nan time", "inputs.in[0][1]", NAN, _TIME + "nan"),
    ("unknown loss", "loss.kind", "mse",
     "one of cross_entropy, spike_time_mse, relative_spike_time_mse, voltage_mse, got 'mse'"),
    ("unknown readout", "loss.readout", "last_voltage",
     "one of max_voltage, mean_voltage, exp_weighted_voltage, first_"),
    ("label out of range", "loss.label", 2, "a whole number from 0 to 1, got 2"),
    ("boolean label", "loss.label", True, "a whole number from 0 to 10000000, got True"),
    ("loss of input", "loss.population", "in", "one of hid, out, got 'in'"),
    ("loss of nothing", "loss.population", "output", "one of hid, out, got 'output'"),
    ("first spike of li", "loss", {**_FIRST, "population": "out"}, "the name of a population that spikes with",
     "loss.population"),
    ("no time_scale", "loss.readout", "first_spike_time", "given, got nothing", "loss.time_scale"),
    ("negative time_scale", "loss", {**_FIRST, "time_scale": -5.0}, _POSITIVE + "-5.0", "loss.time_scale"),
    ("superfluous time_scale", "loss.time_scale", 5.0, _NO_KEY),
    ("first spikes of li", "loss", {**_RELATIVE, "population": "out"}, "the name of a population that spikes with",
     "loss.population"),
    ("negative margin", "loss", {**_RELATIVE, "margin": -2.0}, _TIME + "-2.0", "loss.margin"),
    ("label beyond the first spikes", "loss", {**_RELATIVE, "label": 3}, "a whole number from 0 to 2, got 3",
     "loss.label"),
    ("spike times of li", "loss", {**_SPIKES, "population": "out"}, "the name of a population that spikes with",
     "loss.population"),
    ("spike times of input", "loss", {**_SPIKES, "population": "in"}, "one of hid, out, got 'in'", "loss.population"),
    ("too few targets", "loss", {**_SPIKES, "targets": [[1.0]]}, "a list of 3, one for each neuron", "loss.targets"),
    ("unsorted targets", "loss", {**_SPIKES, "targets": [[], [], [9, 3]]}, "at least the time", "loss.targets[2][1]"),
    ("negative target", "loss", {**_SPIKES, "targets": [[], [-2.0], []]}, _TIME + "-2.0", "loss.targets[1][0]"),
    ("targets as number", "loss", {**_SPIKES, "targets": 3.0}, "a list of spike trains, one per neuron",
     "loss.targets"),
    ("label with spike times", "loss", {**_SPIKES, "label": 0}, _NO_KEY, "loss.label"),
    ("samples of input", "loss", {**_SAMPLES, "population": "in"}, "one of hid, out, got 'in'", "loss.population"),
    ("samples without times", "loss", {k: v for k, v in _SAMPLES.items() if k != "times"}, "given, got nothing",
     "loss.times"),
    ("times as number", "loss", {**_SAMPLES, "times": 3.0}, "a list of times, got 3.0", "loss.times"),
    ("unsorted samples", "loss", {**_SAMPLES, "times": [9, 3]}, "at least the time before it, 9.0, got 3.0",
     "loss.times[1]"),
    ("negative sample", "loss", {**_SAMPLES, "times": [-1.0, 3.0]}, _TIME + "-1.0", "loss.times[0]"),
    ("sample after the end", "loss", {**_SAMPLES, "times": [3.0, 41.0]}, "at most the duration, 40.0 (ms), got 41.0",
     "loss.times[1]"),
    ("too few voltages", "loss", {**_SAMPLES, "targets": [[0.5], [0.1, 0.2]]}, "a list of 2, one for each time",
     "loss.targets[0]"),
    ("voltages of too few neurons", "loss", {**_SAMPLES, "targets": [[0.5, 0.1]]}, "a list of 2, one for each neuron",
     "loss.targets"),
    ("voltage as text", "loss", {**_SAMPLES, "targets": [[0.5, "high"], [0.1, 0.2]]}, "a finite number, got 'high'",
     "loss.targets[0][1]"),
    ("loss as text", "loss", "cross_entropy", "an object, got 'cross_entropy'"),
    ("expected as list", "expected", [1.0], "an object, got a list of 1"),
)
"""Changes of the good case that make it bad: the fault; the path of the change; the new value; the
message after "must be"; and the path in the message, if another."""

_DAMAGED = "`case` must be one whole JSON object, got "
_FILES: tuple[tuple[str, bytes, str], ...] = (
    ("empty file", b"", _DAMAGED + "Expecting value at line 1 column 1"),
    ("blank file", b" \n", _DAMAGED + "Expecting value at line 2 column 1"),
    ("truncated file", _TEXT[:-30], _DAMAGED + "Unterminated string"),
    ("trailing text", _TEXT + b"}", _DAMAGED + "Extra data at line 1"),
    ("single quotes", b"{'format': 1}", _DAMAGED + "Expecting property name"),
    ("comment", b'{"format": "eventprop-case/1" // 1\n}', _DAMAGED + "Expecting ',' delimiter"),
    ("byte order mark", b"\xef\xbb\xbf" + _TEXT, _DAMAGED + "Unexpected UTF-8 BOM"),
    ("binary file", bytes(range(128, 256)), "` must be a JSON file in UTF-8, got binary data"),
    ("utf-16", _TEXT.decode().encode("utf-16"), "` must be a JSON file in UTF-8, got binary data"),
    ("list", b"[1, 2]", "`case` must be an object, got a list of 2"),
    ("number", b"3", "`case` must be an object, got 3"),
    ("null", b"null", "`case` must be an object, got null"),
    ("duplicate key", _TEXT.replace(b'"size": 2}', b'"size": 2, "size": 2}', 1),
     "`size` must be given once in its object"),
    ("number beyond float64", _TEXT.replace(b"40.0", b"1e999"),
     "`duration` must be a finite number above 0 (ms), got inf"),
    ("endless integer", _TEXT.replace(b"40.0", b"1" * 5000), "`case` must be one JSON object, got Exceeds the limit"),
    ("deep nesting", b"[" * 100_000, "`case` must be one JSON object, got too deep a nesting"),
    ("deep nesting inside", _TEXT.replace(b"40.0", b"[" * 100_000), "`case` must be one JSON object, got too deep"),
    ("loop of three populations", json.dumps(_THREE_POPULATIONS).encode(),
     "without a loop of zero total delay, got a[0] ->"),
)


@dataclass(frozen=True)
class BadCase:
    name: str
    content: bytes
    message: str


def bad_cases() -> Iterator[BadCase]:
    for name, path, value, phrase, *place in CHANGES:
        where = place[0] if place else path
        fault = phrase if phrase == _NO_KEY else f"must be {phrase}"
        yield BadCase(name, json.dumps(changed(path, value)).encode(), f"`{where}` {fault}")
    for entry in _FILES:
        yield BadCase(*entry)


def changed(path: str, value: object) -> dict:
    """The good case with one entry replaced or left out."""
    document = json.loads(json.dumps(GOOD))
    *parents, last = [int(key) if key.isdigit() else key for key in re.findall(r"[^.\[\]]+", path)]
    inner = document
    for key in parents:
        if not isinstance(inner[key], dict | list):  # one number for all neurons becomes one per neuron
            inner[key] = [inner[key]] * 3
        inner = inner[key]
    if value is ABSENT:
        del inner[last]
    else:
        inner[last] = value
    return document
