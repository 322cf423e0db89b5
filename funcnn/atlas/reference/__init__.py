"""Eager loops, independent of the rest of funcnn, that its losses are held against."""
