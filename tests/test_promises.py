"""docs/reliability.md names tests: they are there, and so are the faults that its commands deal."""

import ast
import re
from pathlib import Path

import pytest

from tests.crash.runs import FAULTS

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "reliability.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", TEXT)))
FAULTS_PY = "tests/crash/test_faults.py"
SHORT = sorted(set(re.findall(r"`::(test_\w+)`", TEXT)))


@pytest.mark.parametrize(("path", "name"), NAMED + [(FAULTS_PY, it) for it in SHORT])
def test_a_test_that_the_document_names_is_there(path, name):
    tree = ast.parse((ROOT / path).read_text())
    functions = {it.name for it in ast.walk(tree) if isinstance(it, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert name in functions


def test_the_document_names_many_tests_and_files_that_are_there():
    assert len(NAMED) > 15
    for path in re.findall(r"`(tests/[\w/]+\.py)`", TEXT):
        assert (ROOT / path).exists(), path


def test_the_faults_in_its_commands_are_dealt():
    for names in re.findall(r"--fault '?([\w ]+?)'?(?: --|`)", TEXT):
        assert set(names.split(",")) <= set(FAULTS)
