"""Where a demo listens: where it did before, if it can."""

import socket

import pytest

from bot_adapter.simulator.demo import former_port

HOST = "127.0.0.1"


@pytest.fixture
def address_file(tmp_path):
    return tmp_path / "simulator.url"


@pytest.fixture
def listener():
    with socket.create_server((HOST, 0)) as listener:
        yield listener


def test_a_port_that_is_free_again_is_the_next_lifes(address_file, listener):
    port = listener.getsockname()[1]
    listener.close()
    address_file.write_text(f"http://{HOST}:{port}\n")
    assert former_port(HOST, address_file) == port


def test_a_port_that_somebody_else_has_is_not(address_file, listener):
    address_file.write_text(f"http://{HOST}:{listener.getsockname()[1]}\n")
    assert former_port(HOST, address_file) == 0


@pytest.mark.parametrize("text", ["", "nonsense", "http://127.0.0.1:99999", "http://127.0.0.1", "\0"])
def test_an_address_that_is_none_is_no_port(address_file, text):
    address_file.write_text(text)
    assert former_port(HOST, address_file) == 0


def test_a_first_life_has_no_former_port(address_file):
    assert former_port(HOST, address_file) == 0
    assert former_port(HOST, None) == 0
