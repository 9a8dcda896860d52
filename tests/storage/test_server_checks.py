import pytest
from structlog.testing import capture_logs

from engine.storage.protocols import StorageError
from engine.storage.redis_client import connect
from engine.storage.server_checks import check_external


@pytest.fixture
def server(make_server):
    return make_server().start()


@pytest.fixture
def configure(server):
    def apply(*words):
        with connect(server.url) as client:
            client.execute_command(*words)

    return apply


def test_a_durable_server_passes_without_a_word(server):
    with capture_logs() as logs:
        assert int(check_external(server.url).split(".")[0]) >= 7
    assert logs == []


def test_one_that_syncs_each_second_passes_with_a_warning(server, configure):
    configure("CONFIG", "SET", "appendfsync", "everysec")
    with capture_logs() as logs:
        check_external(server.url)
    assert [(it["event"], it["log_level"]) for it in logs] == [("redis_may_lose_the_last_second", "warning")]
    assert "everysec" in logs[0]["why"]


@pytest.mark.parametrize(
    ("setting", "advice"),
    [
        (("appendonly", "no"), "set 'appendonly yes'"),
        (("maxmemory-policy", "allkeys-lru"), "set 'maxmemory-policy noeviction' .it is allkeys-lru."),
    ],
)
def test_one_that_would_lose_the_journal_is_refused(server, configure, setting, advice):
    configure("CONFIG", "SET", *setting)
    with pytest.raises(StorageError, match=advice):
        check_external(server.url)


def test_a_wrong_or_missing_password_is_told_without_it(server, configure):
    configure("CONFIG", "SET", "requirepass", "right")
    for url in (server.url, f"{server.url}?password=wrong-one"):
        with pytest.raises(StorageError, match="REDIS_PASSWORD") as caught:
            check_external(url)
        assert "wrong-one" not in str(caught.value)
    assert check_external(f"{server.url}?password=right")


def test_one_that_hides_its_settings_passes_with_a_warning(server, configure):
    configure("ACL", "SETUSER", "app", "on", ">pw", "~*", "+@all", "-config")
    with capture_logs() as logs:
        check_external(server.url.replace("unix://", "unix://app@") + "?password=pw")
    assert [it["event"] for it in logs] == ["redis_settings_unknown"]


def test_an_absent_server_is_told_with_its_place(tmp_path):
    with pytest.raises(StorageError, match=r"redis://somebody:\*\*\*@127.0.0.1:1 cannot be reached"):
        check_external("redis://somebody:secret@127.0.0.1:1")


def test_an_old_server_is_told_with_its_version(monkeypatch, redis_url):
    monkeypatch.setattr("redis.Redis.info", lambda _client, _section: {"redis_version": "6.0.16"})
    with pytest.raises(StorageError, match=r"is version 6\.0\.16: Rollcall needs 6\.2 or newer"):
        check_external(redis_url)
