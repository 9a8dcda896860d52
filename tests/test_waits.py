"""Nothing waits for ever: every ask, get, join and wait has its time, and every queue its bound.

Looked for in the source, since a wait that never ends shows only when somebody else has ended. What is waited
for without a time of its own stands here with its reason, and no reason may outlive what it is about.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(path for name in ("engine", "bot_adapter") for path in (ROOT / name).rglob("*.py"))
# Without an argument they wait until it comes; `x.get()` is no dictionary's, which wants a key.
ENDLESS = {"get", "join", "wait", "result", "communicate", "acquire"}
QUEUES = {"Queue", "LifoQueue", "PriorityQueue", "SimpleQueue"}
PROCESSES = {"run", "check_output", "check_call", "call"}

CHECK = (
    "subprocess.run([f'{self.kind}-check-rdb', str(file)], executable=self.path, stdin=subprocess.DEVNULL, "
    "capture_output=True, text=True, errors='replace', check=False)"
)
# By file and call.
REASONS = {
    ("bot_adapter/ingest.py", "self._stopped.wait()"): "the parent kills what does not stop",
    ("bot_adapter/ingest.py", "self._stopping.wait()"): "its whole life long",
    ("bot_adapter/shard.py", "self._pace.wait()"): "no event: Discord's pace of logins, which sleeps so long",
    (
        "bot_adapter/simulator/connection.py",
        "asyncio.Queue()",
    ): "the simulated Discord's, whose tests bound it",
    ("bot_adapter/simulator/connection.py", "self._outgoing.get()"): "cancelled with its connection",
    ("bot_adapter/simulator/demo.py", "stopped.wait()"): "its whole life long",
    ("bot_adapter/tasks.py", "task.result()"): "of a task that is done",
    ("engine/actors/pool.py", "SimpleQueue()"): "each actor stands in it once at most",
    ("engine/actors/pool.py", "self._ready.get()"): "an idle worker: whoever waits for one has a time",
    ("engine/badges/deliverer.py", "self._stopped.wait()"): "its whole life long",
    ("engine/processes/child.py", "process.wait()"): "the whole life of a process, or its end after SIGKILL",
    ("engine/processes/supervisor.py", "over.result()"): "of a future that is done",
    ("engine/storage/backups.py", "self._thread.join()"): "it looks after each portion whether to stop",
    ("engine/storage/server_binary.py", CHECK): "it reads a file, at the start, as long as that is",
    ("engine/storage/writer.py", "self._thread.join()"): "it has a deadline by then, and its socket a time",
    ("engine/trackers/changes.py", "self._called.wait()"): "a tracker that nothing happens to, until closed",
    ("engine/trackers/deliverer.py", "self._ended.wait()"): "its whole life long",
    ("engine/trackers/life.py", "self._woken.wait()"): "until the loop's next run, or its end",
    (
        "engine/trackers/threads.py",
        "SimpleQueue()",
    ): "a caller awaits each call, and of callers there are few",
    ("engine/trackers/threads.py", "self._calls.get()"): "an idle thread: whoever waits for one has a time",
    ("engine/trackers/voice.py", "fail_run.get()"): "no future: a context variable",
    ("engine/trackers/worker.py", "self._restarts.wait()"): "no event: it tells how long to wait",
}


class Wait(NamedTuple):
    """A call that may wait for ever."""

    file: str
    line: int
    call: str


def waits(path: Path) -> Iterator[Wait]:
    """Yield what may wait for ever in a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    bounded = {id(it) for call in ast.walk(tree) for it in _bounded(call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and id(node) not in bounded and _may_wait(node):
            yield Wait(str(path.relative_to(ROOT)), node.lineno, ast.unparse(node))


def _bounded(node: ast.AST) -> list[ast.AST]:
    """Return the calls that something around them gives a time."""
    if isinstance(node, ast.Call) and _name(node) == "wait_for":
        return list(ast.walk(node))
    if isinstance(node, ast.AsyncWith) and any("timeout(" in ast.unparse(it) for it in node.items):
        return [it for line in node.body for it in ast.walk(line)]
    return []


def _may_wait(call: ast.Call) -> bool:
    name, given = _name(call), {it.arg for it in call.keywords}
    if (
        name == "ask"
        and isinstance(call.func, ast.Attribute)
        and ast.unparse(call.func.value) != "self._wire"
    ):
        return not given & {"timeout", "block"} and "ref" in ast.unparse(call.func.value)
    if name in QUEUES:
        return name == "SimpleQueue" or not (call.args or "maxsize" in given)
    if name in PROCESSES and ast.unparse(call.func).startswith("subprocess."):
        return "timeout" not in given
    return name in ENDLESS and isinstance(call.func, ast.Attribute) and not call.args and not given


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


FOUND = [it for path in SOURCES for it in waits(path)]


@pytest.mark.parametrize("it", FOUND, ids=lambda it: f"{it.file}:{it.line}")
def test_whatever_waits_has_its_time_or_its_reason(it):
    assert (it.file, it.call) in REASONS, f"{it.file}:{it.line}: {it.call} may wait for ever"


def test_no_reason_outlives_its_wait():
    assert REASONS.keys() <= {(it.file, it.call) for it in FOUND}


FOR_EVER = ["ref.ask(x)", "future.get()", "thread.join()", "Queue()", "queue.SimpleQueue()", "event.wait()",
            "subprocess.run(['x'])", "future.result()"]  # fmt: skip
IN_TIME = ["ref.ask(x, timeout=1)", "ref.ask(x, block=False)", "future.get(timeout=1)", "thread.join(1)",
           "Queue(maxsize=8)", "event.wait(1)", "subprocess.run(['x'], timeout=1)", "future.result(1)",
           "asyncio.wait_for(event.wait(), 1)"]  # fmt: skip


@pytest.mark.parametrize(("source", "number"), [*((it, 1) for it in FOR_EVER), *((it, 0) for it in IN_TIME)])
def test_a_wait_is_known_by_its_call(tmp_path, monkeypatch, source, number):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    (tmp_path / "source.py").write_text(source)
    assert len(list(waits(tmp_path / "source.py"))) == number
