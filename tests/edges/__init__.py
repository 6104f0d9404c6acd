"""Grazing, ties, zero delays, the end of a trial, bursts."""
