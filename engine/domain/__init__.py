"""The rules. Pure: no clock, no I/O, no thread, no log; imports the standard library and msgspec alone.

Whatever decides something about a session stands in this folder. Moments (``at``, ``..._at``) are integer
milliseconds UTC since 1970; durations carry their unit in the name.
"""
