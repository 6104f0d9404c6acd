"""The package `delayprop`: its names, its command, its wheel."""
