import re

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.routing import iter_route_contexts

from engine.api.app import create_app
from engine.api.errors import install
from engine.api.guards import MAX_BODY_BYTES, BodyLimit

ODD_PATHS = [
    "/docs",
    "/no/such/path",
    "/healthz/",
    "/healthz/../sessions",
    "//healthz",
    "/HEALTHZ",
    "/",
]
OPEN_PATHS = {"/healthz", "/readyz"}


@pytest.fixture
def routes(engine, reads) -> list[tuple[str, str]]:
    """Every method and path that the app has, with an id in the place of each parameter."""
    app = create_app(engine, reads, None, require_token=False)
    contexts = [it for it in iter_route_contexts(app.routes) if it.path not in OPEN_PATHS]
    return [(method, re.sub("{.*?}", "1", it.path)) for it in contexts for method in it.methods or ()]


def test_the_routes_are_all_that_openapi_tells_of_and_itself(routes, engine, reads):
    told = create_app(engine, reads, None, require_token=False).openapi()["paths"]
    listed = {
        (method.upper(), re.sub("{.*?}", "1", path))
        for path, methods in told.items()
        for method in methods
        if path not in OPEN_PATHS
    }
    assert set(routes) == listed | {("GET", "/openapi.json"), ("HEAD", "/openapi.json")}
    assert len(listed) > 25


def test_without_the_token_every_route_answers_401(stranger, token, routes):
    for method, path in routes:
        for headers in ({}, {"Authorization": f"Bearer {token[:-1]}"}, {"Authorization": token}):
            answer = stranger.request(method, path, headers=headers)
            assert answer.status_code == 401, (method, path, headers)
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
def test_without_the_token_no_path_tells_whether_it_is_there(stranger, method):
    for path in ODD_PATHS:
        answer = stranger.request(method, path)
        assert answer.status_code == 401, path
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        message = "send the header 'Authorization: Bearer <token>'"
        assert answer.json() == {"error": {"code": "unauthorized", "message": message}}


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer x", "Basic {}", "{}", "Bearer {}x", "Bearer {} {}", "Bearer é"]
)
def test_only_the_exact_token_opens(stranger, token, header):
    value = header.replace("{}", token).encode()
    assert stranger.get("/debug/live", headers={b"Authorization": value}).status_code == 401


def test_two_tokens_are_none(stranger, token):
    twice = [("Authorization", f"Bearer {token}"), ("Authorization", f"Bearer {token}")]
    assert stranger.get("/debug/live", headers=twice).status_code == 401


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_token_opens(stranger, token, scheme):
    assert stranger.get("/debug/live", headers={"Authorization": f"{scheme} {token}"}).status_code == 200


def test_health_needs_no_token(stranger):
    assert stranger.get("/healthz").status_code == 200
    assert stranger.get("/readyz").status_code == 200


@pytest.mark.parametrize("configured", [None, ""])
def test_where_no_token_is_configured_none_opens_and_the_refusal_says_why(serve, configured):
    server = serve(token=configured)
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as client:
        assert client.get("/healthz").status_code == 200
        for header in ({}, {"Authorization": "Bearer"}, {"Authorization": "Bearer None"}):
            answer = client.get("/sessions", headers=header)
            assert answer.status_code == 401
            assert "ROLLCALL_TOKEN" in answer.json()["error"]["message"]


def test_the_unix_socket_needs_no_token(unix):
    assert unix.get("/debug/live").status_code == 200
    assert unix.get("/openapi.json").status_code == 200


def test_a_large_body_is_refused_unread(unix):
    answer = unix.request("GET", "/debug/live", content=b"x" * (MAX_BODY_BYTES + 1))
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "too_large"


async def test_a_body_of_undeclared_size_is_cut_where_the_limit_is():
    app = FastAPI()
    install(app)
    app.add_middleware(BodyLimit)

    @app.post("/")
    async def length(request: Request) -> int:
        return len(await request.body())

    async def chunks(count):
        for _ in range(count):
            yield b"x" * (MAX_BODY_BYTES // 4)

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(base_url="http://rollcall", transport=transport) as client:
        assert (await client.post("/", content=chunks(4))).json() == MAX_BODY_BYTES
        assert (await client.post("/", content=chunks(5))).status_code == 413


def test_a_defect_is_answered_without_detail_and_logged_without_the_token(tcp, engine, token, capfd):
    def broken():
        raise RuntimeError("the pipes are frozen")

    engine.live = broken
    answer = tcp.get("/debug/live")
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal"
    assert "frozen" not in answer.text
    logged = "".join(capfd.readouterr())
    assert "RuntimeError: the pipes are frozen" in logged
    assert token not in logged


def test_the_token_is_not_logged(stranger, tcp, token, capfd):
    stranger.get("/debug/live", headers={"Authorization": f"Basic {token}"})
    stranger.get(f"/sessions?token={token}")
    for path in ("/debug/live", "/no/such/path", "/events/x", "/events?limit=x"):
        tcp.get(path)
    tcp.post("/events", content=b"{", headers={"Content-Type": "application/json"})
    assert token not in "".join(capfd.readouterr())


def test_no_answer_holds_the_token(stranger, tcp, token):
    for path in ("/openapi.json", "/no/such/path", "/events", "/events?limit=x", "/events/x", "/debug/top"):
        for client in (stranger, tcp):
            answer = client.get(path)
            assert token not in answer.text
            assert token not in str(answer.headers)


def test_no_answer_names_the_server(stranger):
    assert "server" not in stranger.get("/healthz").headers
