"""Rollcall's engine: the rules, their actors, their storage, and the ways to look at them."""

__version__ = "0.1.0"
