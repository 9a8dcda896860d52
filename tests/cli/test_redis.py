"""How ``rollcall redis`` ends where it cannot become the server: 2 ends the daemon, 1 has it tried again."""

import subprocess
import sys

import pytest


@pytest.fixture
def started(config):
    """Run the command as the daemon's parent does; return its exit code and its last line."""

    def run():
        command = [sys.executable, "-m", "engine.cli", "redis", "--config", str(config.source)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        return done.returncode, done.stderr.splitlines()[-1]

    return run


def test_what_a_second_try_may_get_over_is_no_end(started, config):
    config.data_dir.mkdir()
    (config.data_dir / "redis").touch()
    code, line = started()
    assert (code, line.partition(" (")[0]) == (
        1,
        "rollcall: cannot prepare the embedded Redis: File exists",
    )


def test_another_redis_on_the_socket_is_an_end(started, config, make_server):
    other = make_server().start()
    config.redis_socket.parent.mkdir(parents=True)
    config.redis_socket.symlink_to(other.embedded.socket)
    code, line = started()
    assert code == 2
    assert line.startswith("rollcall: another Redis")
