"""What the served OpenAPI document says holds: schemathesis makes requests of it, and looks at each answer.

It tries every route with every method, good values and bad, follows what answers name from one route to the
next, and knows the evening's ids, so that what it asks for is there. No answer may be a 5xx, or of a
status, a type, a header or a shape that is not documented; what the document forbids must be refused, what it
allows must be taken.
"""

import json
import os
import subprocess
import sys

import pytest

from tests.api.running import CELLAR, GUILD, LOST, LOUNGE, STAGE

# All checks run everywhere, but that what is allowed is taken, where the document cannot say what is not: the
# guild and its channels must be known, an end must lie after the beginning, `from` must not lie after `to`, a
# cursor must be one that a page named, trackers must be configured, and of three ways to name dead letters
# one must be given.
NOT_ALL_TAKEN = [
    "POST /events",
    "PATCH /events/{eventId}",
    "GET /events",
    "GET /sessions",
    "GET /debug/dead-letters",
    "POST /debug/dead-letters/retry",
    "PUT /guilds/{guildId}/player/override",
    "PUT /events/{eventId}/override",
]
CONFIGURATION = """
[generation]
deterministic = true
max-examples = {examples}
database = "none"

[dictionaries]
guilds.values = {guilds}
channels.values = {channels}
users.values = ["1", "2", "3", "4"]
events.values = {events}
actors.values = ["guild:10"]

[parameters]
guildId = {{ dictionary = "guilds", probability = 0.7 }}
channelId = {{ dictionary = "channels", probability = 0.7 }}
voiceChannelId = {{ dictionary = "channels", probability = 0.7 }}
userId = {{ dictionary = "users", probability = 0.7 }}
eventId = {{ dictionary = "events", probability = 0.7 }}
name = {{ dictionary = "actors", probability = 0.5 }}
"body.guildId" = {{ dictionary = "guilds", probability = 0.9 }}
"body.voiceChannelIds[*]" = {{ dictionary = "channels", probability = 0.9 }}

[[operations]]
include-name = {not_all_taken}
checks.positive_data_acceptance.enabled = false
"""
EXAMPLES = 20


@pytest.fixture
def configuration(evening, tmp_path):
    path = tmp_path / "schemathesis.toml"
    known = {
        "guilds": [str(it) for it in (GUILD, GUILD, GUILD, LOST)],
        "channels": [str(it) for it in (LOUNGE, STAGE, LOUNGE, STAGE, CELLAR)],
        "events": list(evening.values()),
        "not_all_taken": NOT_ALL_TAKEN,
    }
    written = {name: json.dumps(values) for name, values in known.items()}
    path.write_text(CONFIGURATION.format(examples=EXAMPLES, **written))
    return path


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_openapi_says_holds_whatever_is_asked(shared_api, configuration, tmp_path):
    command = [sys.executable, "-m", "schemathesis.cli", f"--config-file={configuration}", "run"]
    token = shared_api.headers["Authorization"]
    options = ["--header", f"Authorization: {token}", "--continue-on-failure", "--no-color", "--seed=1"]
    told = subprocess.run(
        [*command, f"{shared_api.base_url}/openapi.json", *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
        cwd=tmp_path,
        env=os.environ | {"NO_PROXY": "127.0.0.1"},
    )
    assert told.returncode == 0, told.stdout + told.stderr
    print(told.stdout)
