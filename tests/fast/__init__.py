"""The torch front and the kernels: modules, refusals, losses, recurrence."""
