"""The parent of the daemon's processes: starts them in order, keeps them alive, stops them in reverse.

It imports no heavy library, so that what must never die stays small.
"""
