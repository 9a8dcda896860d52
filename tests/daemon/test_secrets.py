"""No secret gets out: not into a log, an answer, an error, a file, a command line."""

import json
import os
import socket
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import httpx
import psutil
import pytest
from typer.main import get_command

from engine.cli.debug import app as debug
from engine.storage.redis_client import connect
from tests.daemon.programme import Organizer
from tests.daemon.quiet_guild import QUIET, QuietGuild
from tests.daemon.running import Simulator, until

# Recognisable, and with characters that are written in other ways in URLs, JSON and Python.
DISCORD, WRONG_DISCORD = "dIsCoRd+Token/One=", "dIsCoRd+Token/Two="
API, REDIS, URL, WEBHOOK, HOOK_URL = (
    f'{name}-p"ss+w/rd%' for name in ("aPi", "rEdIs", "uRl", "wEbHoOk", "hOoK")
)
ENVIRON = {
    "DISCORD_TOKEN": DISCORD,
    "ROLLCALL_TOKEN": API,
    "REDIS_PASSWORD": REDIS,
    "ROLLCALL_WEBHOOK_SECRET": WEBHOOK,
}
SECRETS = (DISCORD, WRONG_DISCORD, API, REDIS, URL, WEBHOOK, HOOK_URL)
FORMS = {
    it.encode()
    for secret in SECRETS
    for it in (secret, quote(secret, safe=""), quote(secret), json.dumps(secret)[1:-1], repr(secret)[1:-1])
}


class OwnToken(Simulator):
    """Lets in whoever has this token, and nobody else."""

    script = (
        "-P",
        "-c",
        f"""import sys; from bot_adapter.simulator import __main__ as it, server
server.DEFAULT_TOKEN = {DISCORD!r}; sys.exit(it.main(it.parse(sys.argv[1:])))""",
    )


def leaked(data):
    """Return the secrets in this text or these bytes."""
    found = data.encode(errors="replace") if isinstance(data, str) else data
    return [it for it in FORMS if it in found]


def test_a_secret_is_found_however_it_is_written():
    for secret in SECRETS:
        for written in (secret, quote(secret, safe=""), json.dumps(secret), repr(secret), secret.encode()):
            assert leaked(written)


@pytest.fixture
def discord(tmp_path):
    it = OwnToken(tmp_path, **QUIET, members=6)
    yield it
    it.end()


@pytest.fixture
def redis(make_server):
    server = make_server().start()
    with connect(server.url) as client:
        client.config_set("requirepass", URL)
    return server


def nobody():
    """Return an address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return "{}:{}".format(*taken.getsockname())


@pytest.fixture
def daemon(make_daemon, discord, redis):
    """A daemon that is full of secrets, and says all that it can say."""
    place = redis.url.removeprefix("unix://")
    return make_daemon(
        ENVIRON,
        discord={"api_base_url": discord.url, "gateway": "discord"},
        storage={"redis": f"unix://:{quote(URL, safe='')}@{place}"},
        events={
            "badges": "webhook",
            "webhook_url": f"http://me:{quote(HOOK_URL, safe='')}@{nobody()}/badges",
        },
        log={"level": "debug"},
    ).run()


@pytest.mark.slow
def test_no_secret_leaves_a_daemon_that_tells_all_and_fails_at_much(daemon, discord, redis):
    award(daemon, QuietGuild(discord))
    until(lambda: daemon.metrics()["rollcall_badge_retries_total"], "a webhook that fails")
    told = [*commands(daemon), *answers(daemon), *command_lines(daemon)]
    assert len(told) > 30
    redis.kill()
    until(lambda: "journal_away" in daemon.program.text(), "an engine without Redis")
    told += commands(daemon, "--json")
    redis.start()  # which knows no password any more, and says so
    until(lambda: "AUTH" in daemon.program.text(), "a refused login at Redis")
    assert daemon.program.stop() == 0
    told.append(daemon.program.text())
    assert "ledger" in "".join(told)
    assert [it for it in told if leaked(it)] == []
    assert leaking_files(daemon.folder) == []


def award(daemon, guild):
    """Hold an event that earns somebody a badge."""
    organizer = Organizer(daemon, guild.id)
    event_id = organizer.create("Regatta", *guild.channels)
    organizer.start(event_id)
    guild.pass_time(1.2)
    organizer.stop(event_id)


def commands(daemon, *more):
    """Return what each command prints; those of `debug` as they are found."""
    guild_id = (daemon.client.get("/guilds")["items"] or [{"guildId": "1"}])[0]["guildId"]
    names = [it for it in get_command(debug).commands if it not in {"actor", "top"}]
    calls = [["debug", it] for it in names] + [
        *(["debug"], ["debug", "actor", f"guild:{guild_id}"], ["debug", "actor", "partition:0"]),
        *(
            ["debug", "top", "--once"],
            ["sessions"],
            ["events", "list"],
            ["check-config"],
            ["events", "report", "1"],
        ),
    ]
    with ThreadPoolExecutor(2) as pool:
        done = pool.map(lambda call: daemon.rollcall(*call, *more), calls)
    return [it.stdout + it.stderr for it in done]


def answers(daemon):
    """Return what HTTP answers, to friends and to strangers, with the headers."""
    paths = [
        "/metrics",
        "/openapi.json",
        "/healthz",
        "/readyz",
        "/debug/overview",
        "/no/such",
        f"/events?x={API}",
    ]
    headers = [{}, {"Authorization": f"Bearer {API[:-1]}"}, {"Authorization": API}]
    port = next(
        it for it in psutil.Process(daemon.pid("engine")).net_connections("inet") if it.status == "LISTEN"
    )
    url = f"http://127.0.0.1:{port.laddr.port}"
    with httpx.Client(base_url=url, trust_env=False) as client:
        let_in = [client.get(path, headers={"Authorization": f"Bearer {API}"}) for path in paths]
        # Afterwards, nobody from there is listened to for a while.
        refused = [client.get(path, headers=it) for path in paths for it in headers]
    assert {it.status_code for it in refused} == {200, 401}
    assert {it.status_code for it in let_in} == {200, 404, 422}
    return [f"{it.headers}{it.text}" for it in refused + let_in]


def command_lines(daemon):
    """Return how each process was called, as anybody on the machine may see it."""
    pids = [daemon.program.pid, *(it["pid"] for it in daemon.children().values())]
    return [" ".join(psutil.Process(pid).cmdline()) for pid in pids]


def leaking_files(folder):
    """Return the files with a secret in them; the configuration holds what was written into it."""
    files = [it for it in folder.rglob("*") if it.is_file() and it.name != "config.toml"]
    assert len(files) > 3
    return [it for it in files if leaked(it.read_bytes())]


def test_a_refused_login_does_not_tell_the_token(make_daemon, discord):
    environ = ENVIRON | {"DISCORD_TOKEN": WRONG_DISCORD}
    it = make_daemon(
        environ, discord={"api_base_url": discord.url, "gateway": "discord"}, log={"level": "debug"}
    )
    it.program = it.start("run")
    assert it.program.wait() == 2
    assert "Discord refused the token" in it.program.text()
    assert leaked(it.program.text()) == []
    assert leaking_files(it.folder) == []


def test_what_the_daemon_makes_is_for_its_account_alone_and_its_redis_listens_nowhere_else(make_daemon):
    daemon = make_daemon(simulator={"speed": 0.1})
    data = daemon.config.data_dir
    data.mkdir(mode=0o755)
    old = os.umask(0o000)
    try:
        daemon.run()
    finally:
        os.umask(old)
    redis = psutil.Process(daemon.pid("redis"))
    assert redis.net_connections("inet") == []
    sockets = {Path(it.laddr) for it in redis.net_connections("unix") if it.status == "NONE" and it.laddr}
    assert sockets == {daemon.config.redis_socket}
    assert daemon.config.redis_socket.is_relative_to(data)
    for path in [data, *data.rglob("*")]:
        assert not stat.S_IMODE(path.lstat().st_mode) & 0o077, path
    for path in (daemon.config.api_socket, daemon.config.control_socket, daemon.config.redis_socket):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
