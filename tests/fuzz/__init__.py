"""Hostile input: a check for each thing that reads what others wrote; pytest runs it briefly, `make fuzz` at length.

A target draws bytes and checks them. An entry of `tests/corpus/<target>/` is such bytes in a file.
"""
