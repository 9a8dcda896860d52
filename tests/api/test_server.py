import os
import socket
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import httpx
import pytest

from engine.api.app import create_app
from engine.api.server import MAX_CONCURRENT, ApiServer, ListenError, listen_tcp, refuse_open_door


def test_the_socket_is_for_this_account_only(server, socket_path):
    assert stat.S_IMODE(socket_path.stat().st_mode) == 0o600


def test_the_umask_is_left_as_it_was(serve):
    before = os.umask(0o022)
    try:
        serve()
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)


def test_a_taken_port_is_told_in_one_line(serve, taken_port):
    with pytest.raises(ListenError) as caught:
        serve(port=taken_port)
    assert str(caught.value) == (
        f"api.port: 127.0.0.1:{taken_port} is taken by another process: choose another port"
    )


def test_no_answer_waits_for_an_acknowledgement():
    with listen_tcp("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", "10.0.0.1"]
)
@pytest.mark.parametrize("token", [None, ""])
def test_beyond_loopback_nothing_listens_without_a_token(host, token):
    with pytest.raises(ListenError) as caught:
        refuse_open_door(host, token, "ROLLCALL_TOKEN")
    assert str(caught.value) == (
        f"api.host: {host} is open to other machines: set a token in ROLLCALL_TOKEN, or listen on 127.0.0.1"
    )


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_loopback_needs_no_token(host):
    refuse_open_door(host, None, "ROLLCALL_TOKEN")


def test_with_a_token_every_address_will_do():
    refuse_open_door("0.0.0.0", "a token", "ROLLCALL_TOKEN")


def test_a_name_is_as_open_as_any_of_its_addresses(monkeypatch):
    def resolve(*_, **__):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (it, 0)) for it in ("127.0.0.1", "192.0.2.7")]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(
        ListenError, match=r"^api\.host: den\.example \(192\.0\.2\.7\) is open to other machines"
    ):
        refuse_open_door("den.example", None, "ROLLCALL_TOKEN")


@pytest.mark.parametrize("host", ["no.such.host", "x" * 70])  # the second is none by its form
def test_a_host_that_is_none_is_told_in_one_line(host, socket_path, engine, reads, monkeypatch):
    def unknown(host, *_, **__):
        host.encode("idna")
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    line = rf"^api\.host: cannot listen on {host} \(.+\): choose an address of this machine$"
    with pytest.raises(ListenError, match=line):
        refuse_open_door(host, None, "ROLLCALL_TOKEN")
    app = create_app(engine, reads, None, require_token=False)
    with pytest.raises(ListenError, match=line):
        ApiServer(app, app, host, 0, socket_path).start()


def test_a_socket_left_by_a_killed_process_is_replaced(serve, socket_path):
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(socket_path))
    serve()
    assert stat.S_IMODE(socket_path.stat().st_mode) == 0o600
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(socket_path))) as client:
        assert client.get("http://rollcall/healthz").status_code == 200


def test_a_socket_in_use_is_left_alone(serve, server, socket_path, unix):
    with pytest.raises(ListenError, match="in use"):
        serve()
    assert unix.get("/healthz").status_code == 200


def test_a_file_that_is_no_socket_is_left_alone(serve, socket_path):
    socket_path.write_text("mine")
    with pytest.raises(ListenError, match="no socket"):
        serve()
    assert socket_path.read_text() == "mine"


@pytest.mark.parametrize("name", ["no/such/folder.sock", "x" * 120])
def test_a_socket_path_that_cannot_be_is_told_in_one_line(serve, tmp_path, name):
    with pytest.raises(ListenError, match=r"^api\.socket: cannot listen on .+: choose another path$"):
        serve(path=tmp_path / name)


def test_a_failed_start_keeps_neither_port_nor_socket(serve, socket_path, taken_port):
    with pytest.raises(ListenError):
        serve(port=taken_port)
    assert not socket_path.exists()


def test_after_a_stop_nothing_listens_and_the_same_port_can_be_used_again(serve, socket_path):
    first = serve()
    first.stop()
    assert not first.alive()
    assert not socket_path.exists()
    second = serve(port=first.port)
    assert httpx.get(f"http://127.0.0.1:{second.port}/healthz", trust_env=False).status_code == 200


def test_stopping_twice_or_unstarted_is_no_error(serve, taken_port):
    server = serve()
    server.stop()
    server.stop()
    with pytest.raises(ListenError):
        serve(port=taken_port)


def test_a_request_under_way_is_still_answered(server, unix, engine):
    engine.hold = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(unix.get, "/debug/live")
        assert engine.asked.wait(10)
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        engine.hold.set()
        assert answer.result(10).status_code == 200
        stopping.join(10)
    assert not server.alive()


def test_a_request_that_never_ends_does_not_hold_up_the_stop(server, unix, engine, wait_until):
    engine.hold = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(unix.get, "/debug/live")
        assert engine.asked.wait(10)
        server.stop()  # returns, though the route's thread is still held
        assert not engine.hold.is_set()
        engine.hold.set()
        with suppress(httpx.HTTPError):
            answer.result(10)
    wait_until(lambda: not server.alive())


def test_one_listener_at_its_limit_leaves_the_other_alone(server, unix):
    with ExitStack() as stack:
        for _ in range(MAX_CONCURRENT):
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        url = f"http://127.0.0.1:{server.port}/healthz"
        assert httpx.get(url, trust_env=False).status_code == 503
        assert unix.get("/healthz").status_code == 200


def test_the_contract_does_not_import_the_web_framework():
    code = "import sys, engine.inspection; sys.exit(bool({'fastapi', 'uvicorn'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
