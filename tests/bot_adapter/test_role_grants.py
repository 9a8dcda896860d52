"""Badges as Discord roles, through py-cord's HTTP against the simulator."""

from dataclasses import dataclass
from urllib.parse import unquote

import pytest

from bot_adapter import outbox
from bot_adapter.simulator.faults import RestFault
from bot_adapter.simulator.resources import Resources
from bot_adapter.simulator.world import World
from engine.domain.effects import GrantRole
from engine.domain.inputs import OutboxOutcome
from engine.storage.protocols import StorageError
from tests.bot_adapter.pending import PendingEffects


@dataclass
class Crew:
    """A member, and the role that is their badge."""

    world: World
    guild_id: int
    user_id: int
    role_id: int

    @property
    def has_role(self):
        return self.world.member(self.guild_id, self.user_id).roles == [self.role_id]

    def grant(self, outbox_id="badge-1-2", **ids):
        ids = {"user_id": self.user_id, "role_id": self.role_id} | ids
        return GrantRole(outbox_id, self.guild_id, at=1, **ids)


@pytest.fixture
def crew(place):
    role = place.world.add_role(place.guild_id, "crew")
    return Crew(place.world, place.guild_id, place.people[0], role.role_id)


@pytest.fixture
def receiver():
    return PendingEffects()


@pytest.fixture(autouse=True)
def reasons(monkeypatch):
    """What Discord's audit log would say of each role given. Before the server: its routes are bound once."""
    seen, add_role = [], Resources.add_role

    async def noted(resources, request):
        seen.append(unquote(request.headers["X-Audit-Log-Reason"]))
        await add_role(resources, request)

    monkeypatch.setattr(Resources, "add_role", noted)
    return seen


@pytest.fixture
def carry_out(start_ingest, receiver, journal, monkeypatch):
    """Have an ingest carry out effects, and return their outcomes."""
    monkeypatch.setattr(outbox, "RETRY_BASE_S", 0.01)

    async def carry_out(*effects):
        for it in effects:
            receiver.put(it)
        await start_ingest(receiver=receiver)
        await journal.until(lambda: len(receiver.done_ids) == len(effects))
        return journal.of(OutboxOutcome)

    return carry_out


async def test_a_role_is_granted_with_a_reason_for_the_audit_log(crew, carry_out, reasons):
    (outcome,) = await carry_out(crew.grant())
    assert crew.has_role
    assert reasons == ["Rollcall: earned by attendance (badge-1-2)"]
    assert (outcome.outbox_id, outcome.guild_id, outcome.ok) == ("badge-1-2", crew.guild_id, True)


async def test_who_has_the_role_already_is_no_failure(crew, carry_out):
    crew.world.give_role(crew.guild_id, crew.user_id, crew.role_id)
    assert [it.ok for it in await carry_out(crew.grant())] == [True]
    assert crew.has_role


@pytest.mark.parametrize(
    "fault",
    [
        RestFault(status=520),  # Cloudflare's: py-cord leaves it to us
        RestFault(status=503),
        RestFault(status=429, via=False, retry_after=0.1),
        RestFault(status=429, via=True, retry_after=0.1),
        RestFault("lost_reply"),
    ],
    ids=["520", "503", "429 of Cloudflare", "429 of Discord", "lost reply"],
)
async def test_what_passes_is_tried_again(server, crew, carry_out, fault):
    server.faults.fail_rest(fault, path="/roles/")
    assert [it.ok for it in await carry_out(crew.grant())] == [True]
    assert server.faults.next_rest_fault("/roles/") is None
    assert crew.has_role


async def test_a_missing_permission_is_an_outcome_with_discords_words(crew, carry_out):
    crew.world.let_bot_manage_roles(crew.guild_id, allowed=False)
    (outcome,) = await carry_out(crew.grant())
    assert (outcome.ok, crew.has_role) == (False, False)
    assert "403" in outcome.detail
    assert "Missing Permissions" in outcome.detail


@pytest.mark.parametrize(
    ("unknown", "words"), [({"role_id": 404}, "Unknown Role"), ({"user_id": 404}, "Unknown Member")]
)
async def test_what_discord_does_not_know_is_an_outcome_and_the_next_goes_on(crew, carry_out, unknown, words):
    refused, granted = await carry_out(crew.grant("badge-1-404", **unknown), crew.grant())
    assert (refused.ok, granted.ok) == (False, True)
    assert words in refused.detail
    assert crew.has_role


async def test_a_crash_between_doing_and_journaling_does_it_again_and_harms_nothing(
    start_ingest, receiver, crew, journal, reasons
):
    first, _ = await start_ingest(receiver=receiver)
    await journal.until(lambda: journal.snapshots)
    journal.full = StorageError("full")
    receiver.put(crew.grant())
    await journal.until(lambda: reasons)
    await first.stop()
    journal.full = None
    assert not journal.of(OutboxOutcome)
    receiver.restart()
    await start_ingest(receiver=receiver)
    await journal.until(lambda: receiver.done_ids)
    assert len(reasons) == 2
    assert crew.has_role
    assert [it.ok for it in journal.of(OutboxOutcome)] == [True]
