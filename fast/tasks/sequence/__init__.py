"""The sequence task: outputs tell rings of spikes apart by their order, with learned delays."""
