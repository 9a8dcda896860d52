"""How an error reads in one line."""

LINE_MAX = 500


def line(error: BaseException) -> str:
    """Say what was raised; of a group that holds one error only, that one."""
    error = cause(error)
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text.removesuffix(":")[:LINE_MAX]


def cause(error: BaseException) -> BaseException:
    """Return what was raised; of a group that holds one error only, that one."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
