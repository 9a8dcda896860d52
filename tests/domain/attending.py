"""What tests of attendance share: flags and roles of a member, and an event that they sit through."""

SELF_DEAF, DEAF, SELF_MUTE, MUTE, SUPPRESS = 1, 2, 4, 8, 16
CREW, MATE, COOK = 7, 8, 9
SILENT = {"count_muted": False, "count_suppressed": False, "count_alone": False, "count_bridged": False}


def attended(evening, *, flags=0, roles=(), **terms):
    """Hold an event in A from 10 to 30, with a member as said all the time; return their time by reason."""
    evening.held(10, **terms)
    evening.voice(10, "A", flags, roles=roles)
    evening.stop(30)
    return evening.time()
