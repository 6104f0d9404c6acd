"""The checks of the verification report: the claim and the criterion of each.

A test belongs to a check by the mark `check(number)`, a control by `check(number, control=True)`: a
control plants a fault, and passes only if the check finds it. Tests report their measurements by
the fixture `measured` (`report_evidence.py`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        number: place in the report.
        group: part of the argument.
        shows: the claim, in one or two sentences.
        criterion: the bound to meet.
    """

    number: int
    group: str
    title: str
    shows: str
    criterion: str


DERIVATION, TRUTH, SYMMETRY = "Derivation", "Reference against the truth", "Symmetries"
FAST, GRID, EDGES = "Fast against the reference", "Time steps", "Edges"
FAULTS, LEARNING = "Proof that the checks can fail", "Learning"
GROUPS = (DERIVATION, TRUTH, SYMMETRY, FAST, GRID, EDGES, FAULTS, LEARNING)
BOUND = "max(1e-11, 100 u/kappa)"

CHECKS = tuple(
    Check(number, *texts)
    for number, texts in enumerate((
        (DERIVATION, "Equations are proved",
         "Every flow, jump and gradient formula follows from the dynamics alone; SymPy does the algebra.",
         "every residual simplifies to exactly 0"),
        (DERIVATION, "The code implements what was proved",
         "The jumps of the reference are the proved formulas symbol by symbol, its flows to 52 digits.",
         "jumps: difference exactly 0; flows: relative 1e-52 of 60 digits"),
        (TRUTH, "50 digits",
         "At 50 digits the gradient of the reference agrees, for every parameter, with differences of simulations "
         "that have no adjoint: it is the derivative, not close to it.",
         "relative error of every block at most 1e-25"),
        (TRUTH, "Taylor slopes at 40 digits",
         "The loss leaves its tangent with the square of the step, for each kind of parameter alone.",
         "slopes 1 and 2 within 0.0005"),
        (TRUTH, "Taylor slopes in float64",
         "As check 4, in the arithmetic in use. Directions that change the order of events are left out.",
         "slopes 1 and 2 within 0.05; at most 5 % left out for a change of events or for rounding"),
        (TRUTH, "Taylor constant",
         "The remainder is half the second derivative. This finds an error of the gradient that the slopes over these "
         "steps do not resolve.",
         "within 1 % of half the second difference, where that has converged (at least a third of the networks)"),
        (TRUTH, "Tangent against adjoint",
         "The derivative along a random direction, computed forward in time, is the gradient times that direction.",
         "difference at most 1e-13 of the sum of absolute terms"),
        (TRUTH, "Rounding of float64",
         "The cost of float64: every spike, readout, loss and block of the gradient, compared with 50 digits.",
         f"relative error of every block at most {BOUND}"),
        (TRUTH, "Certified set",
         "Networks in three classes of difficulty with values known to 30 digits. Two routes made them; here the first "
         "is repeated for all, the second for some.",
         "right digits: float64 at least 12 (higher difficulty: 6), float32 at least 4; where the condition of a "
         "network leaves fewer, at most one fewer than it leaves"),
        (SYMMETRY, "Conservation identities",
         "A: unit of voltage, B: unit of time, C: origin of time. They need no other gradient, also in training.",
         "residual at most 1e-12 in float64, 1e-5 in float32"),
        (SYMMETRY, "Shift of time", "A trial that begins later has an equal gradient.", BOUND),
        (SYMMETRY, "Permutation", "The order of neurons, populations, synapses and inputs does not matter.",
         "reference: bitwise; fast: max(1e-12, 10 u/kappa)"),
        (SYMMETRY, "A delay is a later input",
         "A delay common to all synapses of an input is equivalent to later spikes of that input.", BOUND),
        (SYMMETRY, "A relay splits a delay",
         "A neuron that answers every spike with one spike splits a delay in two. Each part has the gradient of the "
         "whole.",
         "1e-11"),
        (SYMMETRY, "Absent parts change nothing",
         "Neurons that nothing reads and synapses of weight 0 change nothing. The gradient of such a weight is still "
         "that of the differences.",
         f"unread neurons: bitwise in the reference, max(1e-12, 10 u/kappa) in fast; weight 0: {BOUND}"),
        (SYMMETRY, "Batches",
         "A trial in a batch has the result of the trial alone, also after trials with delays longer than the trial. "
         "The gradient of a batch is the sum.",
         "trial: bitwise; sum: 1e-12"),
        (FAST, "Agreement in float64",
         "The fast kernels and the reference share no code. On networks drawn by Hypothesis they agree in spikes, "
         "order, times, losses and gradients.",
         f"counts and order always; every block within {BOUND}, of the reference in float64 or, "
         "where the two roundings differ, in 30 digits"),
        (FAST, "Agreement in float32",
         "Errors have a distribution. Spikes may differ only where a voltage grazes its threshold. The errors are no "
         "larger than those of plain code in float32.",
         "median 1e-5, 99 % 1e-3; other counts only at a margin below 1e-4; both quantiles at most twice those of the "
         "reference run in numbers of 24 bits, plus 1e-6"),
        (FAST, "CPU against CUDA", "The kernels on a GPU.",
         "float64: as check 17, and 1e-9 of the CPU's in a larger network; two runs bitwise equal"),
        (FAST, "torch's gradcheck",
         "Every entry of the Jacobian, by torch's own differences, undefined gradients included.",
         "atol 1e-8, rtol 1e-6, nondet_tol 0, full mode"),
        (FAST, "Bad input is refused alike",
         "Both implementations refuse a wrong network with equal words. No wrong network gives a number.",
         "equal errors for every entry of the catalogue"),
        (GRID, "The cost of a time grid",
         "Event-based gradients on a time grid, the method of others, approach the exact gradient with the first power "
         "of the step.",
         "median order 1.0 within 0.25, of networks with the exact events at all steps and without pinned maxima"),
        (EDGES, "Grazing",
         "Near a spike that barely happens the gradient grows by the root law, and rounding as 1/kappa.",
         f"error at most {BOUND} for peaks 1e-1 to 1e-12 above threshold; exponent -0.50 within 0.01"),
        (EDGES, "A spike appears or vanishes",
         "The ground truth refuses differences across such a change, so no check depends on one. The loss jumps there.",
         "every such step is refused"),
        (EDGES, "Ties",
         "Two events at one instant: no spike is lost, the tie is flagged, the gradient is the one-sided derivative "
         "that the specification names.",
         "1e-10 of the one-sided difference"),
        (EDGES, "Zero delays", "Spikes that arrive at the instant they are sent; a loop of such delays is refused.",
         f"{BOUND}; refused by name"),
        (EDGES, "The end of a trial",
         "Spikes and arrivals exactly at the end count. Later ones have no effect.",
         "the one-sided derivative to 1e-10; after the end: bitwise no effect"),
        (EDGES, "Silence and bursts",
         "A silent network has a finite loss and, unless the loss reads an integral of its voltage, a gradient of "
         "exactly 0. Of 100,000 spikes none is missing, up to the charge that leaks.",
         "exactly 0; identities to 1e-12"),
        (EDGES, "Equal time constants",
         "The time constants of membrane and synapse may be equal, or nearly equal, without loss of accuracy.",
         f"{BOUND} for relative gaps of 0 and 1e-15 to 1e-1"),
        (FAULTS, "Planted faults",
         "Faults of published systems, planted in copies of both implementations: checks of two independent kinds find "
         "each.",
         "every fault by every check that can find it"),
        (FAULTS, "Mutation testing",
         "Operators, numbers and comparisons of the adjoint code are changed, one at a time: all of the reference, a "
         "seeded sample of the kernels. The checks find them.",
         "at least 95 % of the mutants that change anything found, every survivor explained"),
        (FAULTS, "The networks are worth testing",
         "Bursts, silence, loops, inhibition, several spikes under way: each class of event is frequent enough.",
         "every class in at least 1.5 % of the networks"),
        (LEARNING, "A task with a known optimum",
         "Learned delays reach the difference of a closed formula.", "1e-6 ms"),
        (LEARNING, "The sequence task",
         "Learned delays solve it from every seed, frozen delays never.",
         "6 presentations or fewer in each of 20 seeds; never with frozen delays (5 seeds)"),
        (LEARNING, "Memory",
         "The memory that a training step keeps grows with the spikes, and not with the length of a trial.",
         "bytes per spike within 10 % from 10^3 to 10^6 spikes; flat in the length"),
    ), start=1)
)
BY_NUMBER = {check.number: check for check in CHECKS}
