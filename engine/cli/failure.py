"""What a command raises when it cannot do what it was asked."""


class Failure(Exception):  # noqa: N818  # it names what happened, not a defect
    """One line for people, and the command's exit code."""

    def __init__(self, line: str, exit_code: int = 1) -> None:
        super().__init__(line)
        self.exit_code = exit_code
