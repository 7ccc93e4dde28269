"""Segments -> packed batch: ids, positions, labels and the places of other modalities."""
