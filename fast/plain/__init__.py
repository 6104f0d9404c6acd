"""The plain rung: the algorithm of the kernels for one neuron in one trial, in NumPy and float64.

It stands between the event heap of `reference` and the kernels: read `forward`, then `backward`,
before the kernels, and test a new back end against it. It leaves out voltage readouts, recurrent
synapses, flags of ties, the forecast of a run without end, and what serves speed alone. It reads
the matrices that kernels read (`fast.solving.matrices`): `reference` alone checks these.
"""
