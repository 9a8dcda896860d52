"""What each command wants of the configuration, and how much ``check-config`` tells at once."""

import pytest

SENDING = """
[events]
badges = "webhook"
webhook_url = "http://127.0.0.1:1/"
[trackers]
on_expiry = "notify"
webhook_url = "http://127.0.0.1:1/"
"""
UNSIGNED = [
    "events.badges: 'webhook' signs what it sends: set ROLLCALL_WEBHOOK_SECRET in the environment",
    "trackers.webhook_url: what is sent is signed: set ROLLCALL_WEBHOOK_SECRET in the environment",
]


@pytest.fixture
def checked(rollcall, folder, monkeypatch):
    """``checked(text)``: what ``check-config`` says of it, without the file's name."""
    monkeypatch.delenv("ROLLCALL_WEBHOOK_SECRET", raising=False)

    def check(text):
        (folder / "config.toml").write_text(text)
        code, _, err = rollcall("check-config")
        lines = err.splitlines()
        assert code == (2 if lines else 0)
        assert all(line.startswith("config.toml: ") for line in lines)
        return [line.removeprefix("config.toml: ") for line in lines]

    return check


@pytest.fixture
def _sending(folder, monkeypatch):
    """A configuration that sends, in an environment without the secret that signs."""
    monkeypatch.delenv("ROLLCALL_WEBHOOK_SECRET", raising=False)
    with (folder / "config.toml").open("a") as file:
        file.write(SENDING)


@pytest.mark.usefixtures("ledger", "_sending")
@pytest.mark.parametrize("command", [["sessions"], ["events"], ["debug", "processes"], ["backup"]])
def test_a_command_that_sends_nothing_wants_no_secret_that_signs(rollcall, command):
    _, _, err = rollcall(*command)
    assert "ROLLCALL_WEBHOOK_SECRET" not in err


@pytest.mark.usefixtures("_sending")
def test_a_restart_is_ordered_without_a_secret_that_signs(rollcall, parent):
    parent({"result": {"name": "engine", "pid": 7}})
    assert rollcall("restart", "engine") == (0, "engine runs anew as process 7\n", "")


@pytest.mark.usefixtures("_sending")
@pytest.mark.parametrize("command", ["run", "engine", "check-config"])
def test_what_sends_or_checks_wants_the_secrets_that_sign_both_at_once(rollcall, command):
    code, out, err = rollcall(command)
    assert (code, out) == (2, "")
    told = [line.partition("config.toml: ")[2] for line in err.splitlines() if "config.toml: " in line]
    assert told == UNSIGNED


def test_all_at_once_are_wrong_keys_missing_secrets_a_long_socket_and_classes_that_are_not_there(checked):
    custom = """
    [[trackers.custom]]
    class = "nowhere:Tracker"
    optinos = {}
    [api]
    """
    socket = f"/{'x' * 104}"
    text = f"[discord]\ngateway = 'discord'\nshard_cout = 2\n{SENDING}{custom}port = -1\nsocket = '{socket}'"
    places = [line.partition(": ")[0] for line in checked(text)]
    assert sorted(places) == [
        "api.port",
        "api.socket",
        "discord.gateway",
        "discord.shard_cout",
        "events.badges",
        "trackers.custom.0.class",
        "trackers.custom.0.optinos",
        "trackers.webhook_url",
    ]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (SENDING.replace("[trackers]", "webhook_secret_env = '-'\n[x]"), "events.webhook_secret_env"),
        ("[events]\nbadges = 'webhook'\nwebhook_url = 'ftp://x'", "events.webhook_url"),
        ("[discord]\nshard_count = -1\nshard_ids = [0]", "discord.shard_count"),
        ("[discord]\ngateway = 'dicsord'", "discord.gateway"),
    ],
)
def test_what_only_follows_from_something_wrong_is_not_told(checked, text, place):
    assert [line.partition(": ")[0] for line in checked(text) if not line.startswith("x: ")] == [place]


def test_a_secret_that_cannot_be_read_is_not_called_missing(rollcall, folder, monkeypatch):
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    monkeypatch.delenv("ROLLCALL_WEBHOOK_SECRET", raising=False)
    (folder / "ROLLCALL_WEBHOOK_SECRET").mkdir()
    (folder / "config.toml").write_text(SENDING)
    _, _, err = rollcall("check-config")
    assert err == f"{folder}/ROLLCALL_WEBHOOK_SECRET: cannot be read: Is a directory\n"
