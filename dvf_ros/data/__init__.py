"""Trajectories on disk: a memory-mapped dataset, pairs of states drawn from it, normalisation."""
