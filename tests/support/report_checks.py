"""The checks of the verification report: what each shows, and what it has to meet.

A test that belongs to one says so with the mark `check(number)`, its controls with `check(number, control=True)`: a
control plants something wrong, and passes only if that is noticed. What tests measure reaches the report by the fixture
`measured` (`evidence.py`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One of them.

    Attributes:
        number: its place.
        group: the part of the argument that it belongs to.
        title: its name.
        shows: what follows if it is green, in one or two sentences.
        criterion: what must be met.
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

CHECKS = tuple(
    Check(number, *texts)
    for number, texts in enumerate((
        (DERIVATION, "Equations are proved",
         "Every flow, jump and gradient formula follows from the dynamics alone; SymPy does the algebra.",
         "every residual simplifies to exactly 0"),
        (DERIVATION, "The code says what was proved",
         "The jumps in the reference are the proved formulas symbol by symbol, its flows to 52 digits.",
         "jumps: difference exactly 0; flows: relative 1e-52 of 60 digits"),
        (TRUTH, "50 digits",
         "At 50 digits the gradient of the reference and differences of two simulations, which know no adjoint, agree "
         "for every parameter: it is the derivative, not close to it.",
         "relative error of every block at most 1e-25"),
        (TRUTH, "Taylor slopes at 40 digits",
         "The loss leaves its tangent with the square of the step, for each kind of parameter by itself.",
         "slopes 1 and 2 within 0.0005"),
        (TRUTH, "Taylor slopes in float64",
         "The same in the arithmetic that is used. Directions in which the order of events changes are left out.",
         "slopes 1 and 2 within 0.05; at most 5 % left out for a change of events or for rounding"),
        (TRUTH, "Taylor constant",
         "The remainder is half the second derivative: an error of the gradient that slopes over these steps do not "
         "resolve would be seen.",
         "within 1 % of half the second difference, where that has converged (at least a third of the networks)"),
        (TRUTH, "Tangent against adjoint",
         "The derivative along a random direction, followed forward in time, is the gradient times that direction.",
         "difference at most 1e-13 of the sum of absolute terms"),
        (TRUTH, "Rounding of float64",
         "What float64 costs: every spike, readout, loss and block of the gradient against 50 digits.",
         "relative error of every block at most max(1e-11, 100 u/kappa)"),
        (TRUTH, "Certified set",
         "Networks in three classes of difficulty whose values are known to 30 digits, by two routes when they were "
         "made; here the first is gone again for all, the second for some.",
         "right digits: float64 at least 12 (higher difficulty: 6), float32 at least 4; where the condition of a "
         "network leaves fewer, at most one fewer than it leaves"),
        (SYMMETRY, "Conservation identities",
         "A: unit of voltage, B: unit of time, C: origin of time. They need no other gradient, also in training.",
         "residual at most 1e-12 in float64, 1e-5 in float32"),
        (SYMMETRY, "Shift of time", "A trial that begins later has the same gradient.",
         "max(1e-11, 100 u/kappa)"),
        (SYMMETRY, "Permutation",
         "The order of neurons, populations, synapses and inputs does not matter.",
         "reference: bitwise; fast: max(1e-12, 10 u/kappa)"),
        (SYMMETRY, "A delay is a later input",
         "A delay common to all synapses of an input may as well be added to its times.",
         "max(1e-11, 100 u/kappa)"),
        (SYMMETRY, "A relay splits a delay",
         "A neuron that answers every spike with one of its own splits a delay in two, each with the whole's gradient.",
         "1e-11"),
        (SYMMETRY, "What is not there changes nothing",
         "Neurons that nobody reads and synapses of weight 0 change nothing; the gradient of such a weight is still "
         "that of the differences.",
         "nobody reads: bitwise in the reference, max(1e-12, 10 u/kappa) in fast; weight 0: max(1e-11, 100 u/kappa)"),
        (SYMMETRY, "Batches",
         "A trial in a batch is the trial alone, also after trials with delays longer than they last; a batch's "
         "gradient is the sum.",
         "trial: bitwise; sum: 1e-12"),
        (FAST, "Agreement in float64",
         "The fast kernels and the reference share no code. On networks drawn by Hypothesis they find the same spikes "
         "in the same order, times, losses and gradients.",
         "counts and order always; every block within max(1e-11, 100 u/kappa), of the reference in float64 or, "
         "where two roundings part, in 30 digits"),
        (FAST, "Agreement in float32",
         "Errors have a distribution; spikes may differ only where a voltage grazes its threshold. And no worse than "
         "plain code in float32.",
         "median 1e-5, 99 % 1e-3; other counts only at a margin below 1e-4; both quantiles at most twice those of the "
         "reference run in numbers of 24 bits, plus 1e-6"),
        (FAST, "CPU against CUDA", "The same kernels on a GPU.",
         "float64: as check 17, and 1e-9 of the CPU's in a larger network; bitwise the same twice"),
        (FAST, "torch's gradcheck",
         "Every entry of the Jacobian, by torch's own differences, undefined gradients included.",
         "atol 1e-8, rtol 1e-6, nondet_tol 0, full mode"),
        (FAST, "Bad input is refused alike",
         "What is wrong with a network is refused in the same words by both; nothing gives a number in silence.",
         "the same error for every entry of the catalogue"),
        (GRID, "What a grid costs",
         "Event-based gradients on a time grid approach ours with the first power of the step: the method of others, "
         "measured by this yardstick.",
         "median order 1.0 within 0.25, of networks whose events are the exact ones at all steps, pinned maxima "
         "left out"),
        (EDGES, "Grazing",
         "Near a spike that hardly happens the gradient grows as the root law says, and rounding as 1/kappa.",
         "error at most max(1e-11, 100 u/kappa) for peaks 1e-1 to 1e-12 above threshold; exponent -0.50 within 0.01"),
        (EDGES, "A spike appears or vanishes",
         "The ground truth refuses differences across such a change, so no check rests on one; the loss jumps there.",
         "every such step is refused"),
        (EDGES, "Ties",
         "Two things at one instant: no spike is lost, the tie is flagged, the gradient is the one-sided derivative "
         "that the specification names.",
         "1e-10 of the one-sided difference"),
        (EDGES, "Zero delays", "Spikes that arrive the instant they are sent; a loop of such is refused.",
         "max(1e-11, 100 u/kappa); refused by name"),
        (EDGES, "The end of a trial",
         "Spikes and arrivals exactly at the end count; what comes later does not exist.",
         "the one-sided derivative to 1e-10; after the end: bitwise nothing"),
        (EDGES, "Silence and bursts",
         "A silent network has a finite loss and, unless an integral of its voltage is read, a gradient of exactly "
         "0; of 100,000 spikes none is missing beyond the charge that leaks.",
         "exactly 0; identities to 1e-12"),
        (EDGES, "Equal time constants",
         "The membrane's and the synapse's time constants may be equal, or nearly so, at no cost.",
         "max(1e-11, 100 u/kappa) for relative gaps of 0 and 1e-15 to 1e-1"),
        (FAULTS, "Planted faults",
         "Faults that other systems have had, planted in copies of both implementations: each is found by checks of "
         "two kinds that share nothing.",
         "every fault by every check that can see it"),
        (FAULTS, "Mutation testing",
         "Operators, numbers and comparisons of the adjoint code changed, one at a time: all of the reference's, a "
         "sample by seed of the kernels'. The checks notice.",
         "at least 95 % of those that change anything noticed, every survivor explained"),
        (FAULTS, "The networks are worth testing",
         "Bursts, silence, loops, inhibition, several spikes under way: each class of event is met often enough.",
         "every class in at least 1.5 % of the networks"),
        (LEARNING, "A task with a known optimum",
         "Learned delays reach the difference that a formula gives.", "1e-6 ms"),
        (LEARNING, "The sequence task",
         "Delays that learn solve it from every seed, delays that are frozen never.",
         "6 presentations or fewer in each of 20 seeds; never with frozen delays (5 seeds)"),
        (LEARNING, "Memory",
         "What a training step keeps grows with the spikes, and not with the length of a trial.",
         "bytes a spike within 10 % from 10^3 to 10^6 spikes; flat in the length"),
    ), start=1)
)
BY_NUMBER = {check.number: check for check in CHECKS}
