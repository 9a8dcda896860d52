"""What is wrong with a configuration is told in lines that name their places, all at once."""

import os
import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.cli import call
from engine.config import ConfigError, load
from tests.shipped import SHIPPED


def test_all_problems_come_at_once_each_with_its_key_and_its_value(problems):
    assert problems("""
        lgo = 1
        [discord]
        shard_count = -1
        gatway = "auto"
        [storage]
        partitions = 65
        redis = "http://x"
        [sessions]
        min_session_s = -0.5
        track_bots = "yes"
        [api]
        port = 70000
    """) == [
        "api.port: should be less than or equal to 65535 (got 70000)",
        "discord.gatway: unknown key (did you mean gateway?)",
        "discord.shard_count: should be greater than or equal to 0 (got -1)",
        "lgo: unknown key (did you mean log?)",
        "sessions.min_session_s: should be greater than or equal to 0 (got -0.5)",
        "sessions.track_bots: should be a valid boolean (got 'yes')",
        "storage.partitions: should be less than or equal to 64 (got 65)",
        "storage.redis: must be 'embedded' or a redis://, rediss:// or unix:// URL (got 'http://x')",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("storage = 3", "storage: should be a table (got 3)"),
        ("[discord]\nshard_ids = [2]\nshard_count = 2", "discord.shard_ids: must lie below shard_count"),
        ("[discord]\nshard_ids = [0, 0]\nshard_count = 2", "discord.shard_ids: names a shard twice"),
        ("[discord]\nlog_channel_id = 'x'", "discord.log_channel_id: must be an id: digits only (got 'x')"),
        ("[sessions]\nmin_session_s = nan", "sessions.min_session_s: should be a finite number (got nan)"),
        ("[events]\nfoo = 1", "events.foo: unknown key"),
        ('[storage]\ndata_dir = "~\\u0000"', "storage.data_dir: must not contain a NUL character"),
        ("[api]\nport = \n", "Invalid value (at line 2, column 8)"),
        ("[api]\nport = 1\nport = 2\n", "Cannot overwrite a value (at line 3, column 9)"),
        (b"\xff", "is not UTF-8 text (byte 0)"),
        ("a = " + "[" * 100_000, "is nested too deeply"),
    ],
)
def test_each_problem_is_one_line_that_names_its_place(problems, text, expected):
    [line] = problems(text)
    assert line.startswith(expected)
    assert "\n" not in line


def test_an_unknown_key_in_a_list_or_a_map_is_told_beside_all_other_problems(problems):
    assert problems("""
        int = 1
        [log]
        levl = "info"
        [trackers.users]
        thresold = 2
        [[trackers.custom]]
        clas = "my_trackers:X"
        [[trackers.listeners]]
        class = "my_trackers:X"
        optinos = {}
        [trackers.overrides]
        5 = { timeout = 3, int = 1 }
    """) == [
        "int: unknown key",
        "log.levl: unknown key (did you mean level?)",
        "trackers.custom.0.clas: unknown key (did you mean class?)",
        "trackers.custom.0.class: is missing",
        "trackers.listeners.0.optinos: unknown key (did you mean options?)",
        "trackers.overrides.5.int: unknown key",
        "trackers.overrides.5.timeout: unknown key (did you mean timeout_s?)",
        "trackers.users.thresold: unknown key (did you mean threshold?)",
    ]


def test_a_place_names_keys_of_the_file_and_nothing_else(problems):
    assert problems("[trackers]\nuse_default_trackers = 3") == [
        "trackers.use_default_trackers: should be 'auto' (got 3)",
        "trackers.use_default_trackers: should be a valid boolean (got 3)",
    ]


def test_shards_that_do_not_fit_are_told_beside_other_problems_of_their_table(problems):
    assert problems("[discord]\nshard_ids = [2]\nshard_count = 2\ngatway = 1") == [
        "discord.gatway: unknown key (did you mean gateway?)",
        "discord.shard_ids: must lie below shard_count, which is 2 (got [2])",
    ]


def test_a_socket_path_that_no_socket_can_have_is_refused(problems):
    [line] = problems(f"[api]\nsocket = '/{'x' * 104}'")
    assert line.startswith("api.socket: is too long for a Unix socket")


def test_a_token_in_the_file_is_refused_and_never_shown(problems):
    [line] = problems("[discord]\ntoken = 'very-secret'")
    assert line == "discord.token: is a secret and has no place here: set DISCORD_TOKEN in the environment"


@pytest.mark.parametrize(
    "value",
    [
        "'http://me:hunter2@host'",
        "'http://me:p@hunter2@host'",
        "'http://host?db=0&password=hunter2'",
        "['redis://me:hunter2@host']",
        "{ url = 'redis://me:hunter2@host', other = 'redis://host?password=hunter2' }",
    ],
)
def test_a_password_in_a_wrong_url_is_never_shown(problems, value):
    [line] = problems(f"[storage]\nredis = {value}")
    assert line.startswith("storage.redis: ")
    assert "hunter2" not in line
    assert "***" in line


def test_notices_that_are_sent_need_a_wish(problems, loaded):
    table = '[trackers]\nwebhook_url = "http://127.0.0.1:1/?key=abc"\n'
    told = "must be 'notify' where there is a webhook_url (got 'none')"
    assert problems(table + 'on_expiry = "none"') == [f"trackers.on_expiry: {told}"]
    config = loaded(table + 'on_expiry = "notify"', {"ROLLCALL_WEBHOOK_SECRET": "s3cret"})
    assert "s3cret" in config.secrets
    assert "abc" not in repr(config)


def test_what_a_tracker_may_take_has_its_limits(problems):
    assert [it.partition(":")[0] for it in problems("[trackers]\nrun_limit_s = 0\nscopes_per_s = 0")] == [
        "trackers.run_limit_s",
        "trackers.scopes_per_s",
    ]


def test_a_file_that_is_named_must_exist(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.toml: there is no such file"):
        load(tmp_path / "nowhere.toml")


def test_a_folder_is_no_configuration(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(tmp_path):
    path = tmp_path / "config.toml"
    path.touch(mode=0o000)
    assert not stat.S_IMODE(path.stat().st_mode)
    with pytest.raises(ConfigError, match="cannot be read: Permission denied"):
        load(path)


LINES = SHIPPED.read_text().splitlines()
NUMBERS = ["-1", "0", "1e308", "nan", "9" * 30, "true", "1979-05-27"]
VALUES = st.sampled_from([*NUMBERS, "''", '"\\u0000"', "[[]]", "{}", "'~'", '"é\\n"', "="])


@st.composite
def mutated(draw):
    """The shipped file with some lines given other values, doubled, cut, or lost."""
    lines = list(LINES)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["value", "double", "cut", "lose", "noise"])):
            case "value":
                lines[at] = f"{lines[at].partition('=')[0]}= {draw(VALUES)}"
            case "double":
                lines.insert(at, lines[at])
            case "cut":
                lines[at] = lines[at][: draw(st.integers(0, 20))]
            case "lose":
                lines[at] = ""
            case "noise":
                lines.insert(at, draw(st.text(max_size=20)))
    return "\n".join(lines)


@settings(max_examples=200, deadline=None)
@given(mutated())
def test_no_mutation_of_the_file_leads_to_more_than_lines_and_exit_code_two(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("config") / "config.toml"
    path.write_bytes(text.encode(errors="surrogatepass"))
    problems = problems_of(path)
    for line in problems:
        assert line.startswith(f"{path}: ")
        assert line.isprintable()
    assert call(["check-config", "--config", str(path)]) == (2 if problems else 0)


def problems_of(path):
    try:
        load(path, {})
    except ConfigError as error:
        return error.problems
    return []
