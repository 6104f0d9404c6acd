"""Spike data: files, augmentation, batches."""
