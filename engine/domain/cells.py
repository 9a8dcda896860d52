"""Text from people in the cells of a CSV file."""

import re

# What a spreadsheet takes for the beginning of a formula (OWASP, "CSV Injection"), full-width forms included.
_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def cell(text: str) -> str:
    """Return text as a cell that shows it: on one line, and never calculated as a formula."""
    line = _CONTROLS.sub(" ", text)
    return f"'{line}" if _FORMULA.match(line) else line
