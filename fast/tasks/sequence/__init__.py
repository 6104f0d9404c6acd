"""The sequence task: outputs tell cyclic orders of spikes apart by learned delays."""
