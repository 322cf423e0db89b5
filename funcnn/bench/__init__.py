"""Measurements, side by side; they need the extra ``torch``."""
