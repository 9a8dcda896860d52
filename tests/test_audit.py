"""What `make check` says of the dependencies."""

import importlib.util
import json
import os
import subprocess
import sys
import tomllib
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "scripts" / "audit.py"
HASHED = f" \\\n    --hash=sha256:{'0' * 64}\n"


@pytest.fixture(scope="module")
def audit():
    spec = importlib.util.spec_from_file_location("audit", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture
def pins(audit):
    return tuple(audit.read_lock(ROOT / lock)[1] for lock in audit.LOCKS)


def test_this_projects_dependencies_are_in_order():
    done = subprocess.run(
        [sys.executable, SCRIPT],
        env=os.environ | {"AUDIT_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "not asked for (AUDIT_OFFLINE)" in done.stdout


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (f"a==1{HASHED}b-c[x]==2.0 ; sys_platform == 'linux'{HASHED}", []),
        (f"a==1{HASHED}b==2\n", ["x.lock: b has no hash"]),
        (f"a==1\nb==2{HASHED}", ["x.lock: a has no hash"]),
        (f"a>=1{HASHED}", ["x.lock:1: neither a pinned version nor a hash: a>=1 \\"]),
        ("-e .\n", ["x.lock:1: neither a pinned version nor a hash: -e ."]),
        (
            "a @ https://host/a.whl\n",
            ["x.lock:1: neither a pinned version nor a hash: a @ https://host/a.whl"],
        ),
        (f"a==1{HASHED}    --hash=md5:0\n", ["x.lock:3: neither a pinned version nor a hash: --hash=md5:0"]),
    ],
)
def test_a_lock_holds_nothing_but_pinned_versions_with_hashes(audit, tmp_path, text, problems):
    path = tmp_path / "x.lock"
    path.write_text(text)
    assert audit.read_lock(path)[0] == problems


def test_what_is_declared_is_locked_and_both_locks_agree(audit, project, pins):
    runtime, everything = pins
    assert list(audit.coverage(project, runtime, everything)) == []
    del runtime["pykka"]
    everything |= {"peewee": "5.0", "yarl": "0.1"}
    assert set(audit.coverage(project, runtime, everything)) == {
        "requirements.lock: pykka is declared and not locked",
        "requirements-dev.lock: peewee 5.0 does not satisfy <5,>=4.5.3",
        f"requirements.lock: peewee {runtime['peewee']} is 5.0 in requirements-dev.lock",
        f"requirements.lock: yarl {runtime['yarl']} is 0.1 in requirements-dev.lock",
    }


def test_what_is_declared_is_imported_and_what_is_imported_declared(audit, project):
    assert list(audit.imports(project)) == []
    declared = project["project"]["dependencies"]
    declared[:] = [*(it for it in declared if not it.startswith("pykka")), "pytest>=9"]
    assert list(audit.imports(project)) == [
        "pykka is imported and not declared in pyproject.toml",
        "pytest is declared in pyproject.toml and never imported",
    ]


def test_what_is_installed_is_what_is_locked(audit, pins):
    assert list(audit.installed(pins[1])) == []
    (line,) = audit.installed({"pykka": "0.1"})
    assert line.endswith("is installed and 0.1 is locked: run make setup")


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        *(("MIT", True), ("Apache-2.0 OR GPL-3.0-only", True), ("MIT AND PSF-2.0", True)),
        *(("(MIT OR Apache-2.0)", True), ("Apache-2.0 WITH LLVM-exception", True)),
        *(("GPL-3.0-only", False), ("MIT AND GPL-3.0-only", False), ("", False), ("Proprietary", False)),
    ],
)
def test_a_licence_is_allowed_by_its_expression(audit, expression, allowed):
    assert audit.is_allowed(expression) is allowed


@contextmanager
def answering(body, status=200):
    """Serve one kind of answer; yields the URL and the bodies that came."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", asked
        finally:
            server.shutdown()
            thread.join()


def test_a_known_vulnerability_is_told_with_its_id(audit, monkeypatch):
    monkeypatch.delenv("AUDIT_OFFLINE", raising=False)
    body = json.dumps({"results": [{}, {"vulns": [{"id": "PYSEC-1"}, {"id": "GHSA-2"}]}]}).encode()
    with answering(body) as (url, asked):
        known, told = audit.vulnerabilities({"a": "1", "b": "2"}, url)
    assert known == ["b 2 is vulnerable: PYSEC-1, GHSA-2"]
    assert told == "1 with known vulnerabilities"
    (queries,) = (it["queries"] for it in asked)
    assert queries[1] == {"package": {"name": "b", "ecosystem": "PyPI"}, "version": "2"}


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 503), (b"no json", 200), (b"[]", 200), (b'{"results": []}', 200), (b'{"results": [1]}', 200)],
)
def test_where_nobody_answers_that_is_said_and_nothing_else_depends_on_it(audit, monkeypatch, body, status):
    monkeypatch.delenv("AUDIT_OFFLINE", raising=False)
    with answering(body, status) as (url, _):
        known, told = audit.vulnerabilities({"a": "1"}, url)
    assert known == []
    assert told.startswith("vulnerabilities not known: the service does not answer (")
