"""The sequence task: outputs distinguish cyclic orders of spikes by learned delays."""
