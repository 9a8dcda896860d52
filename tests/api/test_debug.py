import pytest


def test_the_actors_come_as_a_list(unix, engine):
    assert unix.get("/debug/actors").json() == {"items": engine.actors(), "next": None}


def test_the_journal_comes_by_partition(unix, engine):
    assert unix.get("/debug/journal").json() == {"items": engine.journal(), "next": None}


@pytest.mark.parametrize("view", ["overview", "live", "top"])
def test_a_view_comes_as_the_engine_tells_it(unix, engine, view):
    assert unix.get(f"/debug/{view}").json() == getattr(engine, view)()


def test_one_actor_comes_with_its_state(unix):
    assert unix.get("/debug/actors/guild:10").json()["describe"] == {"sessions": {}}


def test_an_unknown_actor_is_not_found(unix):
    answer = unix.get("/debug/actors/guild:11")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"
    assert "guild:11" in answer.json()["error"]["message"]


def test_a_name_that_is_too_long_is_invalid(unix):
    answer = unix.get("/debug/actors/" + "x" * 65)
    assert answer.status_code == 422
    assert answer.json()["error"]["field"] == "name"


@pytest.mark.parametrize("path", ["/nothing", "/debug", "/debug/actors/", "/sessions/"])
def test_an_unknown_path_is_not_found(unix, path):
    answer = unix.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_reading_is_all_that_these_paths_do(unix):
    answer = unix.post("/debug/actors")
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == "GET"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/events", "GET, POST"),
        ("PUT", "/events/1", "GET, PATCH"),
        ("GET", "/events/1/stop", "PUT"),
        ("POST", "/openapi.json", "GET, HEAD"),
    ],
)
def test_a_refused_method_is_answered_with_all_that_are_not(unix, method, path, allowed):
    answer = unix.request(method, path)
    assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)
