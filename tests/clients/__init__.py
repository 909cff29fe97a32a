"""Clients that others wrote, unchanged, on the sample platforms."""
