"""What a configuration comes to: its defaults, paths, secrets and modes."""

import os
import tomllib
from pathlib import Path

import pytest

from engine.config import Config, ConfigError, load
from engine.settings import Settings
from tests.shipped import SHIPPED


def test_the_shipped_file_shows_every_key_with_its_default():
    document = tomllib.loads(SHIPPED.read_text())
    assert load(SHIPPED, {}).settings == Settings()
    for name, table in Settings.model_fields.items():
        assert set(document[name]) == set(table.annotation.model_fields) - {"token"}


def test_a_byte_order_mark_is_no_problem(tmp_path):
    (tmp_path / "config.toml").write_bytes(b"\xef\xbb\xbf[log]\nlevel = 'debug'\n")
    assert load(tmp_path / "config.toml", {}).log.level == "debug"


def test_secrets_come_from_the_environment_and_never_show(loaded):
    environ = {"DISCORD_TOKEN": "tok-en\n", "MY_TOKEN": "api-token", "REDIS_PASSWORD": "pass/word"}
    config = loaded("[api]\ntoken_env = 'MY_TOKEN'\n[storage]\nredis = 'redis://db:6380/1'", environ)
    assert config.discord.token.get_secret_value() == "tok-en"
    assert config.secrets == ("tok-en", "api-token", "pass/word")
    assert config.redis_url == "redis://:pass%2Fword@db:6380/1"
    assert not [secret for secret in config.secrets if secret in repr(config)]


def test_secrets_come_as_credentials_too_and_the_environment_wins(loaded, tmp_path):
    (tmp_path / "DISCORD_TOKEN").write_text("tok-en\n")
    (tmp_path / "MY_TOKEN").write_text("of the file")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path), "MY_TOKEN": "of the environment"}
    config = loaded("[api]\ntoken_env = 'MY_TOKEN'", environ)
    assert config.secrets == ("tok-en", "of the environment")
    assert not config.demo
    (tmp_path / "DISCORD_TOKEN").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"DISCORD_TOKEN: cannot be read: it is no UTF-8"):
        loaded("", environ)
    (tmp_path / "ROLLCALL_WEBHOOK_SECRET").mkdir()
    with pytest.raises(ConfigError) as caught:
        loaded("[log]\nx = 1", environ)
    assert caught.value.problems == [
        f"{tmp_path}/config.toml: log.x: unknown key",
        f"{tmp_path}/DISCORD_TOKEN: cannot be read: it is no UTF-8",
        f"{tmp_path}/ROLLCALL_WEBHOOK_SECRET: cannot be read: Is a directory",
    ]


def test_a_password_in_the_url_stays_out_of_every_repr(loaded):
    config = loaded("[storage]\nredis = 'redis://:hunter2@db'", {"REDIS_PASSWORD": "other"})
    assert config.redis_url == "redis://:hunter2@db"
    assert "hunter2" not in repr(config)
    assert "hunter2" in config.secrets


@pytest.mark.parametrize(
    ("table", "url"),
    [
        ("storage", "redis = 'redis://:p%2Fw@db'"),
        ("storage", "redis = 'unix:///run/x.sock?db=0&password=p%2Fw'"),
        ("events", "webhook_url = 'https://me:p%2Fw@host/path'"),
        ("trackers", "on_expiry = 'notify'\nwebhook_url = 'https://me:p%2Fw@host/path'"),
    ],
)
def test_a_password_in_any_url_is_known_as_a_secret_however_it_is_written(loaded, table, url):
    config = loaded(f"[{table}]\n{url}", {"ROLLCALL_WEBHOOK_SECRET": "x"})
    assert {"p%2Fw", "p/w"} <= set(config.secrets)


def test_paths_are_relative_to_the_file_not_to_the_current_folder(loaded, tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    config = loaded("[storage]\ndata_dir = 'here/../there'\ndatabase = 'x.db'")
    assert (config.data_dir, config.database) == (tmp_path / "there", tmp_path / "x.db")


def test_the_sockets_are_in_the_data_directory_or_where_their_path_is_short_enough(loaded, tmp_path):
    near = Config(None, Path("/srv"))
    assert near.api_socket == Path("/srv/data/run/rollcall.sock")
    far = loaded(f"[storage]\ndata_dir = '{'deep/' * 30}'")
    assert len(os.fsencode(far.control_socket)) <= 103
    assert far.runtime_dir != loaded(f"[storage]\ndata_dir = '{'deep/' * 31}'").runtime_dir


@pytest.mark.parametrize("more", range(20))
def test_no_length_of_the_data_directory_leaves_a_socket_without_a_place(loaded, tmp_path, more):
    short = 103 - len(os.fsencode(tmp_path / "run" / "rollcall.sock"))
    config = loaded(f"[storage]\ndata_dir = '{'x' * max(short - 10 + more, 1)}'")
    assert len(os.fsencode(config.api_socket)) <= 103


def test_the_rules_are_in_milliseconds(loaded):
    rules = loaded("[sessions]\nmin_session_s = 1.5\n[discord]\nlog_channel_id = '81384788765712384'").rules
    assert (rules.min_session_ms, rules.channel_creation_ms) == (1500, 10_000)
    assert rules.log_channel_id == 81384788765712384


@pytest.mark.parametrize(
    ("gateway", "environ", "demo"),
    [
        ("auto", {}, True),
        ("auto", {"DISCORD_TOKEN": "x"}, False),
        ("simulator", {"DISCORD_TOKEN": "x"}, True),
        ("discord", {}, False),
    ],
)
def test_without_a_token_there_is_a_demo_unless_discord_was_asked_for(loaded, gateway, environ, demo):
    assert loaded(f"[discord]\ngateway = '{gateway}'", environ).demo is demo


def test_reading_needs_no_token_but_the_gateway_does(loaded):
    config = loaded("[discord]\ngateway = 'discord'")
    with pytest.raises(
        ConfigError, match=r"discord\.gateway: 'discord' needs a bot token: set DISCORD_TOKEN"
    ):
        config.require_gateway()


def test_reading_needs_no_signing_secret_but_sending_does(loaded):
    text = (
        "[discord]\ngateway = 'discord'\n"
        "[events]\nbadges = 'webhook'\nwebhook_url = 'http://host/'\nwebhook_secret_env = 'BADGES'\n"
        "[trackers]\non_expiry = 'notify'\nwebhook_url = 'http://host/'\n"
    )
    environ = {"DISCORD_TOKEN": "x", "BADGES": "x", "ROLLCALL_WEBHOOK_SECRET": "x"}
    loaded(text, environ).require_secrets()
    config = loaded(text)
    with pytest.raises(ConfigError) as caught:
        config.require_signatures()
    badges, notices = caught.value.problems
    assert badges.endswith(": events.badges: 'webhook' signs what it sends: set BADGES in the environment")
    assert notices.endswith(
        ": trackers.webhook_url: what is sent is signed: set ROLLCALL_WEBHOOK_SECRET in the environment"
    )
    with pytest.raises(ConfigError) as caught:
        config.require_secrets()
    assert ["DISCORD_TOKEN" in it for it in caught.value.problems] == [True, False, False]
    assert caught.value.problems[1:] == [badges, notices]


def test_the_default_file_may_be_missing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = load(environ={})
    assert (config.source, config.settings, config.data_dir) == (None, Settings(), tmp_path / "data")
