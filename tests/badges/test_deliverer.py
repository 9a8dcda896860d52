"""Badges from a real ledger to where they are kept, and their outcomes back."""

import csv

import pytest
from structlog.testing import capture_logs

from engine.badges import deliverer
from engine.badges.csv_file import CsvFile
from engine.badges.deliverer import Deliverer
from engine.badges.delivery import DeliveryStats, Outcome
from engine.badges.webhook import Webhook
from engine.storage.deliveries import SqlDeliveries
from engine.storage.protocols import StorageBusy, StorageError
from tests.badges.awards import GUILD, T
from tests.badges.conftest import SECRET


@pytest.fixture
def file(tmp_path):
    return tmp_path / "badges.csv"


@pytest.fixture
def start_csv(start, file):
    return lambda **deliveries: start(lambda _: {"csv": CsvFile(file)}, **deliveries)


@pytest.fixture
def hurried(monkeypatch):
    monkeypatch.setattr(deliverer, "POLL_S", 0.01)


def ids(file):
    with file.open(newline="") as lines:
        return [it["badge_id"] for it in csv.DictReader(lines)]


class TakesNote:
    """A distributor that settles when told to."""

    def __init__(self):
        self.taken = []
        self.settle = None

    def take(self, badges, settle):
        self.taken += [it.badge_id for it in badges]
        self.settle = settle

    async def close(self):
        pass


async def test_badges_go_out_and_are_settled_by_the_journal(start_csv, book, file, until):
    book.award(5, 6)
    it = start_csv()
    await until(lambda: len(book.told) == 2)
    assert ids(file) == ["badge-1-5", "badge-1-6"]
    assert [(told.at, told.guild_id, told.ok) for told in book.told] == [(T, GUILD, True)] * 2
    book.commit()
    assert it._deliveries.pending("csv", 10) == []
    assert (it.stats.delivered, it.stats.failed, it.stats.pending) == (2, 0, 0)


async def test_what_is_awarded_later_goes_out_when_woken(start_csv, book, file, until, monkeypatch):
    monkeypatch.setattr(deliverer, "POLL_S", 3600.0)
    it = start_csv()
    await until(lambda: it.stats.waiting.keys() == {"csv", "webhook"})
    book.award(5)
    it.wake()
    await until(lambda: book.told)
    assert ids(file) == ["badge-1-5"]


@pytest.mark.usefixtures("hurried")
async def test_what_is_awarded_later_is_found_without_being_woken(start_csv, book, file, until):
    it = start_csv()
    await until(lambda: it.stats.waiting.keys() == {"csv", "webhook"})
    book.award(5)
    await until(lambda: book.told)
    assert ids(file) == ["badge-1-5"]


@pytest.mark.usefixtures("hurried")
async def test_what_is_delivered_and_not_yet_settled_is_not_delivered_again(
    start, book, receiver, until, monkeypatch
):
    looks, pending = [], SqlDeliveries.pending
    monkeypatch.setattr(SqlDeliveries, "pending", lambda *args: looks.append(args) or pending(*args))
    book.award(5, distributor="webhook")
    it = start(lambda stats: {"webhook": Webhook(receiver.url, SECRET, lambda: T, stats)})
    await until(lambda: book.told)
    seen = len(looks)
    await until(lambda: len(looks) > seen + 10)
    assert receiver.badges() == ["badge-1-5"]
    assert len(book.told) == 1
    assert it.stats.pending == 0


async def test_a_restart_before_the_commit_writes_no_second_row(start_csv, book, file, until):
    book.award(5)
    first = start_csv()
    await until(lambda: book.told)
    first.stop()
    book.lose_what_was_told()
    book.award(6, event_id=2)
    start_csv()
    await until(lambda: len(book.told) == 3)
    assert ids(file) == ["badge-1-5", "badge-2-6"]


@pytest.mark.usefixtures("hurried")
async def test_an_outcome_waits_for_the_journal_and_is_told_once(start_csv, book, file, until):
    book.full = StorageError("memory and spool are full")
    book.award(5)
    it = start_csv()
    await until(lambda: it.stats.delivered)
    await until(lambda: "journal" in it.stats.troubles)
    book.full = None
    await until(lambda: book.told)
    await until(lambda: "journal" not in it.stats.troubles)
    assert (ids(file), len(book.told), it.stats.delivered) == (["badge-1-5"], 1, 1)


@pytest.mark.usefixtures("hurried")
async def test_an_outcome_that_was_lost_is_told_again_and_the_badge_not_delivered_again(
    start, book, receiver, until, monkeypatch
):
    monkeypatch.setattr(deliverer, "TELL_AGAIN_AFTER_S", 0.05)
    book.award(5, distributor="webhook")
    start(lambda stats: {"webhook": Webhook(receiver.url, SECRET, lambda: T, stats)})
    await until(lambda: book.told)
    book.lose_what_was_told()
    await until(lambda: len(book.told) > 1)
    book.commit()
    assert receiver.badges() == ["badge-1-5"]
    assert SqlDeliveries(book.path).pending("webhook", 10) == []


@pytest.mark.usefixtures("hurried")
async def test_more_than_one_look_shows_go_out_in_order(start_csv, book, file, until, monkeypatch):
    monkeypatch.setattr(deliverer, "BATCH", 3)
    book.award(*range(10))
    it = start_csv()
    for settled in (3, 6, 9, 10):
        await until(lambda settled=settled: len(book.told) == settled)
        await until(lambda settled=settled: it.stats.pending == 10 - settled)
        book.commit()
    assert ids(file) == [f"badge-1-{it}" for it in range(10)]


@pytest.mark.usefixtures("hurried")
async def test_a_ledger_that_is_busy_is_asked_again(start_csv, book, file, until):
    class BusyAtFirst(SqlDeliveries):
        refusals = 5

        def pending(self, kind, limit):
            if self.refusals:
                self.refusals -= 1
                raise StorageBusy("the ledger is locked")
            return super().pending(kind, limit)

    book.award(5)
    with capture_logs() as logs:
        it = start_csv(deliveries=BusyAtFirst(book.path))
        await until(lambda: book.told)
        await until(lambda: not it.stats.troubles)
        it.stop()
    assert ids(file) == ["badge-1-5"]
    told = [(line["event"], line["what"]) for line in logs]
    for kind in ("csv", "webhook"):
        assert (
            told.count(("deliveries_in_trouble", kind))
            == told.count(("deliveries_out_of_trouble", kind))
            == 1
        )


@pytest.mark.usefixtures("hurried")
async def test_a_file_that_cannot_be_written_waits_until_it_can(start_csv, book, file, until):
    file.write_text("of somebody else\n")
    book.award(5)
    it = start_csv()
    await until(lambda: "move it away" in it.stats.troubles.get("csv", ""))
    assert (it.stats.pending, it.stats.failed) == (1, 0)
    file.unlink()
    await until(lambda: book.told)
    await until(lambda: not it.stats.troubles)
    assert ids(file) == ["badge-1-5"]


@pytest.mark.usefixtures("hurried")
async def test_badges_for_a_distributor_that_is_not_configured_wait(start_csv, book, file, until):
    book.award(5, distributor="webhook")
    book.award(6, event_id=2)
    with capture_logs() as logs:
        it = start_csv()
        await until(lambda: book.told and "webhook" in it.stats.troubles)
        looks = iter(range(10))
        await until(lambda: next(looks, None) is None)
        it.stop()
    assert ids(file) == ["badge-2-6"]
    assert it.stats.pending == 1
    assert [line["what"] for line in logs] == ["webhook"]
    assert "not configured" in logs[0]["reason"]


async def test_a_row_that_cannot_be_read_fails_and_the_others_go_on(start_csv, book, file, until):
    book.award(5, 6)
    connection = book.ledger._writer.connection()
    connection.execute("UPDATE outbox SET payload = 'noise' WHERE outbox_id = 'badge-1-5'")
    connection.commit()
    it = start_csv()
    await until(lambda: len(book.told) == 2)
    ok, detail = book.outcomes()["badge-1-5"]
    assert not ok
    assert "cannot be read" in detail
    assert ids(file) == ["badge-1-6"]
    assert (it.stats.delivered, it.stats.failed) == (1, 1)


@pytest.mark.usefixtures("hurried")
async def test_a_badge_under_way_is_not_handed_over_again(start, book, until, monkeypatch):
    looks, pending = [], SqlDeliveries.pending
    monkeypatch.setattr(SqlDeliveries, "pending", lambda *args: looks.append(args) or pending(*args))
    slow = TakesNote()
    book.award(5, distributor="webhook")
    it = start(lambda _: {"webhook": slow})
    await until(lambda: slow.taken and len(looks) > 10)
    assert slow.taken == ["badge-1-5"]
    assert it.stats.pending == 1
    it._loop.call_soon_threadsafe(slow.settle, "badge-1-5", Outcome(ok=True))
    await until(lambda: book.told)
    await until(lambda: it.stats.pending == 0)


def test_it_may_be_woken_and_stopped_at_any_time(start_csv):
    for _ in range(20):
        it = start_csv()
        it.wake()
        it.stop()
        it.wake()
        it.stop()


def test_one_that_was_never_started_stops(book):
    it = Deliverer(SqlDeliveries(book.path), book, lambda: T, {}, DeliveryStats())
    it.wake()
    it.stop()
