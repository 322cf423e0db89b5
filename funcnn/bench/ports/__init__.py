"""Ports with planted mistakes, and right ones, by which ``funcnn.compare`` is judged."""
