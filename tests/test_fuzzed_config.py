"""Configurations that somebody might have broken: a valid one, or lines that name the file and the key."""

import random
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from engine.cli import call
from engine.config import load
from tests.daemon.running import ROLLCALL
from tests.shipped import SHIPPED

SEED, MUTATIONS, BY_COMMAND = 20261121, 400, 20
VALUES = [
    *("true", "0", "-1", "1e400", "nan", "-inf", "9223372036854775808", "0x7f", "1" * 400, "1979-05-27"),
    *('""', '"x"', '"\\u0000"', '"\\U0001F600"', '"redis://me:hunter2@"', '"unix://"', '"redis://[::1"'),
    *('"redis://h:99999"', '"http://"', '"/"', f'"/{"x" * 5000}"', '"~nobody-has-this-name/x"', "'''a\nb'''"),
    *("[]", "[[]]", "{}", '{ "1" = "2" }', "{ a = { b = 1 } }", "[1, 'a', {}]", "[" * 500 + "]" * 500),
    *('["1", "1"]', "[-1]", "[0.5]", "", '"', "\\", "truee", "07", "1_", "'\x1b[31m'", '"\ud7ff"'),
]
KEYS = ["x", "", '"a b"', "'é'", "token", "a.b", "class", "__proto__", "int", '"\\n"', "data_dir.x", "port"]
ENTRIES = ["[{{ {} = {} }}]", '[{{ class = "x:Y", {} = {} }}]', "{{ 5 = {{ {} = {} }} }}", "{{ {} = {} }}"]
TABLES = ["[storage]", "[x]", "[[api]]", "[api.port]", "[trackers.users]", "[]", "[a", "[log.level.x]"]
# A line of what is wrong: where in the file, or which key.
PLACE = re.compile(
    r"[\w.'\[\]\"\\ -]+: \S"
    r"|.* \(at (line \d+, column \d+|end of document)\)$"
    r"|is not UTF-8 text \(byte \d+\)$|is nested too deeply$|Exceeds the limit"
)


def by_line(text, rng):
    """Change one line: its value, its key, its table; leave it out, double it, move it."""
    lines = text.splitlines()
    at = rng.randrange(len(lines))
    key, _, rest = lines[at].partition(" = ")
    changed = [
        [f"{key} = {rng.choice(VALUES)}"],
        [f"{key} = {rng.choice(VALUES)}"],
        [f"{rng.choice(KEYS)} = {rest or '1'}"],
        [rng.choice(TABLES), lines[at]],
        [lines[at]] * 2,
        [],
        [lines[at], rng.choice(lines)],
    ]
    lines[at : at + 1] = rng.choice(changed)
    return "\n".join(lines)


def by_entry(text, rng):
    """Give a list or a map of tables an entry, with a key that is unknown there more often than not."""
    name = rng.choice(["custom", "listeners", "overrides", "badge_roles"])
    entry = rng.choice(ENTRIES).format(
        rng.choice([*KEYS, "timeout_s"]), rng.choice(["1", '"x"', "{}", "[1]"])
    )
    return re.sub(rf"(?m)^{name} = .*$", lambda _: f"{name} = {entry}", text)


def by_byte(data, rng):
    """Change one place: a byte, a run of bytes, or cut the file there."""
    at = rng.randrange(len(data))
    junk = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 9)))
    return rng.choice([data[:at], data[:at] + junk + data[at + len(junk) :], data[:at] + junk + data[at:]])


def mutations():
    """Yield contents of a file, each the shipped one with a few changes."""
    rng, shipped = random.Random(SEED), SHIPPED.read_text()
    for number in range(MUTATIONS):
        text = by_entry(shipped, rng) if number % 4 == 1 else shipped
        for _ in range(rng.randrange(1, 4)):
            text = by_line(text, rng)
        data = text.encode()
        yield by_byte(data, rng) if number % 3 == 0 else data


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The mutated files, none of which starts anything."""
    folder = tmp_path_factory.mktemp("configurations")
    paths = []
    for number, data in enumerate(mutations()):
        paths.append(folder / f"{number}.toml")
        paths[-1].write_bytes(data)
    return paths


def assert_told(path, exit_code, out, err):
    """See that the outcome is one of the two that there may be."""
    lines = err.splitlines()
    if exit_code == 0:
        assert (out.splitlines(), lines) == ([f"{path}: fine"], [])
        return
    assert exit_code == 2, (path.read_bytes(), err)
    assert out == ""
    assert lines
    for line in lines:
        assert line.startswith(f"{path}: "), line
        assert PLACE.match(line.removeprefix(f"{path}: ")), line
        assert line.isprintable()
        assert "hunter2" not in line
        assert "a defect" not in line


def test_each_is_valid_or_told_by_file_and_key(files, capsys, monkeypatch):
    monkeypatch.delenv("DISCORD_TOKEN", raising=False)
    outcomes = {0: 0, 2: 0}
    for path in files:
        exit_code = call(["check-config", "--config", str(path)])
        assert_told(path, exit_code, *capsys.readouterr())
        outcomes[exit_code] += 1
        if exit_code == 0:
            follow(load(path, {}))
    assert all(count > 30 for count in outcomes.values()), outcomes


def follow(config):
    """See that all that follows from valid settings can be had."""
    assert config.rules
    assert config.redis_url
    assert config.secrets is not None
    for path in (config.data_dir, config.database, config.api_socket, config.control_socket):
        assert path.is_absolute()


def test_the_command_itself_tells_the_same(files):
    def check(path):
        command = [ROLLCALL, "check-config", "--config", str(path)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    chosen = files[:: MUTATIONS // BY_COMMAND]
    with ThreadPoolExecutor(2) as pool:
        for path, done in zip(chosen, pool.map(check, chosen), strict=True):
            assert_told(path, done.returncode, done.stdout, done.stderr)
