"""The concurrent half of the engine: actors, their dispatcher, and who looks after them.

Nothing here decides about sessions (``engine.domain``) or knows how things are stored (``engine.storage``).
"""
