"""Weights and sizes from files: arrays by name, folders as published, and into a network with a report."""
