"""Times as instants, layers and spikes as arrays, and the record of a neuron, for the kernels."""
