"""Spike files, damaged ones too, and augmentation."""
