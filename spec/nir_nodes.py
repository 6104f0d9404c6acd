"""Neurons as nodes of NIR, and checks of a node's numbers; conventions: `spec.nir_graph`."""

from types import ModuleType
from typing import Any

import numpy as np

from delayprop.spec.checks import refuse
from delayprop.spec.errors import SpecError, UnsupportedError, Verbatim, placed
from delayprop.spec.population import KINDS, Population

Node = Any  # `nir.NIRNode`: the package is optional, and publishes no types
NEURONS = {"Input": "input", "CubaLIF": "lif", "CubaLI": "li"}
_NAMES = {"v_th": "v_threshold"}  # NIR's words, where they differ from ours
_ONLY = {
    "r": (1.0, "multiply it into `w_in`, which has the same effect"),
    "v_leak": (0.0, "measure voltages from the leak: subtract it from `v_threshold` and `v_reset`"),
}


def library() -> ModuleType:
    """The package `nir`, imported at its first use; `UnsupportedError` without it."""
    try:
        import nir
    except ModuleNotFoundError as error:
        if error.name != "nir":
            raise
        remedy = "it is optional: `pip install nir`, or install delayprop with its extra `nir`"
        raise UnsupportedError("nir", "an installed package", Verbatim("none of this name"), remedy) from None
    return nir


def kind(node: Node) -> str:
    """The name of a node's type, as NIR's files spell it."""
    return type(node).__name__


def numbers(value: object, name: str, dimensions: int) -> np.ndarray:
    """`value` as a float64 array with `dimensions` axes, whose entries are finite."""
    array = np.asarray(value)
    expected = f"an array of numbers of {dimensions} dimension" + "s" * (dimensions > 1)
    if array.ndim != dimensions or array.dtype.kind not in "fiu" or not np.can_cast(array.dtype, np.float64):
        got = Verbatim(f"{array.dtype} of shape {list(array.shape)}")
        raise SpecError(name, expected, got, "give one of float64, float32 or whole numbers")
    array = array.astype(np.float64)
    refuse(~np.isfinite(array), array, name, "finite", "find the operation that lost it")
    return array


def node_of(population: Population, unit: float) -> Node:
    """A population as a node; `unit`: ms per unit of the graph's time."""
    nir = library()
    if population.kind == "input":
        return nir.Input(input_type={"input": np.array([population.size])})
    tau_syn = population.tau_syn / unit
    common = {"tau_mem": population.tau_mem / unit, "tau_syn": tau_syn, "w_in": tau_syn.copy()}
    common |= {"r": np.ones(population.size), "v_leak": np.zeros(population.size)}
    if population.kind == "li":
        return nir.CubaLI(**common)
    return nir.CubaLIF(**common, v_threshold=population.v_th.copy(), v_reset=population.v_reset.copy())


def population_of(name: str, node: Node, unit: float) -> Population:
    """A node as a population; `SpecError`: a property that our neurons lack, or numbers that the
    types refuse."""
    path = f"nodes.{name}"
    if kind(node) == "Input":
        return Population(name, "input", _size(node.input_type["input"], path))
    size = len(numbers(node.tau_mem, f"{path}.tau_mem", 1))
    for key, (value, remedy) in _ONLY.items():
        given = _per_neuron(node, path, key, size)
        refuse(given != value, given, f"{path}.{key}", f"{value}", remedy)
    ours = KINDS[NEURONS[kind(node)]]
    constants = {constant: _per_neuron(node, path, _NAMES.get(constant, constant), size) for constant in ours}
    with np.errstate(over="ignore"):  # an infinite time is refused below
        constants |= {constant: unit * constants[constant] for constant in ("tau_mem", "tau_syn")}
    with placed(path, _NAMES):
        return Population(name, NEURONS[kind(node)], size, **constants)


def gain(name: str, node: Node) -> np.ndarray:
    """Current that a spike of weight 1 adds to each neuron of a node: `w_in / tau_syn`."""
    path = f"nodes.{name}"
    tau_syn = numbers(node.tau_syn, f"{path}.tau_syn", 1)
    with np.errstate(over="ignore"):  # an infinite weight is refused with its synapse
        return _per_neuron(node, path, "w_in", len(tau_syn)) / tau_syn


def _per_neuron(node: Node, path: str, key: str, size: int) -> np.ndarray:
    values = numbers(getattr(node, key), f"{path}.{key}", 1)
    if len(values) != size:
        got = Verbatim(f"{len(values)}")
        raise SpecError(f"{path}.{key}", f"{size} numbers, as `tau_mem`", got, "one number per neuron")
    return values


def _size(shape: object, path: str) -> int:
    sizes = np.asarray(shape)
    if sizes.shape != (1,) or sizes.dtype.kind not in "iu" or sizes[0] < 1:
        remedy = "flatten the input: a population has one axis"
        raise SpecError(f"{path}.input_type", "one whole number above 0", Verbatim(shape), remedy)
    return int(sizes[0])
