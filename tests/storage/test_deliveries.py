"""What the ledger tells of badges that are to be delivered, and of those that never were."""

import pytest

from engine.domain.deliveries import Badge
from engine.domain.effects import PostMessage, SettleOutbox
from engine.storage.deliveries import SqlDeliveries
from engine.storage.protocols import StorageError
from tests.badges.awards import GUILD, Book, T


@pytest.fixture
def book(tmp_path):
    book = Book(tmp_path / "rollcall.db")
    yield book
    book.close()


@pytest.fixture
def deliveries(book):
    return SqlDeliveries(book.path)


def ids(found):
    return [it.outbox_id for it in found]


def test_pending_badges_come_with_all_that_is_to_be_told_of_them(book, deliveries):
    book.award(5, name="Night watch")
    (it,) = deliveries.pending("csv", 10)
    assert it.item == Badge("badge-1-5", 1, "Night watch", GUILD, 5, T)
    assert (it.outbox_id, it.guild_id, it.error) == ("badge-1-5", GUILD, "")


def test_the_oldest_come_first_and_no_more_than_wanted(book, deliveries):
    book.award(7, 8, event_id=2, at=T + 1_000)
    book.award(5, 6, event_id=1)
    assert ids(deliveries.pending("csv", 10)) == ["badge-1-5", "badge-1-6", "badge-2-7", "badge-2-8"]
    assert ids(deliveries.pending("csv", 3)) == ["badge-1-5", "badge-1-6", "badge-2-7"]
    assert deliveries.count("csv") == 4


def test_each_kind_is_told_apart(book, deliveries):
    book.award(5, distributor="csv", event_id=1)
    book.award(5, distributor="webhook", event_id=2)
    book.award(5, distributor="role", event_id=3)
    book.award(5, distributor="none", event_id=4)
    book.write(PostMessage("note-1", GUILD, 9, "text", at=T))
    assert ids(deliveries.pending("csv", 10)) == ["badge-1-5"]
    assert ids(deliveries.pending("webhook", 10)) == ["badge-2-5"]
    assert (deliveries.count("csv"), deliveries.count("webhook")) == (1, 1)


def test_who_has_the_badge_gets_no_second_delivery(book, deliveries):
    book.award(5)
    book.award(5, 6)
    assert ids(deliveries.pending("csv", 10)) == ["badge-1-5", "badge-1-6"]


def test_what_is_settled_is_pending_no_more_and_failures_are_listed(book, deliveries):
    book.award(5, 6, 7)
    book.award(8, distributor="role", event_id=2, name="Crew")
    book.write(
        PostMessage("note-1", GUILD, 9, "text", at=T),
        SettleOutbox("badge-1-5", True, "", T + 1),
        SettleOutbox("badge-1-6", False, "404 Not Found", T + 2),
        SettleOutbox("badge-2-8", False, "403 Forbidden", T + 3),
        SettleOutbox("note-1", False, "404 Unknown Channel", T + 4),
    )
    assert ids(deliveries.pending("csv", 10)) == ["badge-1-7"]
    crew, watch = deliveries.failed(10)
    assert crew == (Badge("badge-2-8", 2, "Crew", GUILD, 8, T), "role", "403 Forbidden", T + 3)
    assert watch == (Badge("badge-1-6", 1, "Night watch", GUILD, 6, T), "csv", "404 Not Found", T + 2)
    assert deliveries.failed(1) == [crew]


@pytest.mark.parametrize(
    "payload",
    [
        "noise",
        "[]",
        "{}",
        '{"eventId":"one","guildId":"1","userId":"5","awardedAt":"2023-11-14T22:13:20.000Z"}',
        '{"eventId":"1","guildId":"1","userId":"5","awardedAt":"yesterday"}',
        '{"eventId":"1","guildId":"1","userId":"5","awardedAt":"2023-11-14T22:13:20"}',
    ],
)
def test_a_row_that_cannot_be_read_says_so_and_hides_no_other(book, deliveries, payload):
    book.award(5, 6)
    connection = book.ledger._writer.connection()
    connection.execute("UPDATE outbox SET payload = ? WHERE outbox_id = 'badge-1-5'", (payload,))
    connection.commit()
    torn, whole = deliveries.pending("csv", 10)
    assert (torn.outbox_id, torn.item) == ("badge-1-5", None)
    assert "cannot be read" in torn.error
    assert whole.item.user_id == 6


def test_an_event_that_is_gone_leaves_its_badges_without_a_name(book, deliveries):
    book.award(5)
    connection = book.ledger._writer.connection()
    connection.execute("DELETE FROM event")
    connection.commit()
    assert deliveries.pending("csv", 10)[0].item.event_name is None
    book.write(SettleOutbox("badge-1-5", False, "no", T))
    assert deliveries.failed(10)[0].badge.event_name is None


def test_a_ledger_that_is_not_there_is_told_in_one_line(tmp_path):
    with pytest.raises(StorageError, match="no database yet"):
        SqlDeliveries(tmp_path / "none.db").pending("csv", 1)
