import json

import pytest


@pytest.mark.usefixtures("engine")
def test_the_check_is_told_as_it_came(rollcall):
    code, out, err = rollcall("reconcile", "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert (told["guilds"], told["sessions"], told["differences"]) == (1, 2, {"live_stale": 1})
    assert "live_stale: 1" in rollcall("reconcile")[1]


@pytest.mark.usefixtures("config")
def test_without_an_engine_there_is_one_line(rollcall):
    code, out, err = rollcall("reconcile")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "is `rollcall run` running?" in err
