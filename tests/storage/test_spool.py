import pytest
from structlog.testing import capture_logs

from engine.storage.protocols import StorageError
from engine.storage.spool import Spool, Spooled


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "spool"


@pytest.fixture
def open_spool(path):
    """Open the spool of this test, closing the one that was open."""
    spools = []

    def make(max_bytes=1 << 20):
        close()
        spools.append(Spool(path, max_bytes))
        return spools[-1]

    def close():
        while spools:
            spools.pop().close()

    yield make
    close()


def records(*numbers):
    return [Spooled(number % 3, b"entry %d" % number) for number in numbers]


def test_what_goes_in_first_comes_out_first(open_spool):
    spool = open_spool()
    spool.put(records(1, 2, 3))
    spool.put(records(4))
    batch, mark = spool.peek(3)
    assert batch == records(1, 2, 3)
    spool.take(3, mark)
    assert spool.peek(10)[0] == records(4)
    assert spool.entries == 1


def test_what_was_not_taken_is_there_for_the_next_life(open_spool):
    spool = open_spool()
    spool.put(records(1, 2, 3))
    _, mark = spool.peek(1)
    spool.take(1, mark)
    spool = open_spool()
    assert spool.entries == 2
    assert spool.peek(10)[0] == records(2, 3)
    spool.put(records(4))
    assert open_spool().peek(10)[0] == records(2, 3, 4)


def test_an_emptied_spool_takes_no_room(open_spool):
    spool = open_spool()
    empty = spool.size_bytes
    spool.put(records(1, 2))
    spool.take(2, spool.peek(2)[1])
    assert spool.size_bytes == empty
    assert open_spool().peek(10) == ([], empty)


@pytest.mark.parametrize("cut", range(1, 25))
def test_a_torn_tail_costs_only_the_torn_record(open_spool, path, cut):
    open_spool().put(records(1, 2, 3))
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    spool = open_spool()
    kept = spool.peek(10)[0]
    assert kept == records(1, 2, 3)[: len(kept)]
    assert len(kept) == (2 if cut <= 17 else 1)
    spool.put(records(9))
    assert open_spool().peek(10)[0] == [*kept, *records(9)]


def test_what_is_cut_off_is_kept_aside(open_spool, path):
    open_spool().put(records(1))
    with path.open("ab") as file:
        file.write(b"\0" * 100)
    assert open_spool().peek(10)[0] == records(1)
    assert path.with_name("spool.torn").read_bytes() == b"\0" * 100


def test_what_is_cut_off_and_finds_no_room_does_not_keep_the_writer_from_going_on(
    open_spool, path, largest_file
):
    open_spool().put(records(1))
    with path.open("ab") as file:
        file.write(b"\0" * 9_000)
    with largest_file(4_096), capture_logs() as logs:
        spool = open_spool()
    assert [(it["cut_bytes"], it["kept_as"]) for it in logs] == [(9_000, "not kept: File too large")]
    assert list(path.parent.iterdir()) == [path]
    spool.put(records(2))
    assert open_spool().peek(10)[0] == records(1, 2)


def test_a_garbled_record_is_not_handed_out(open_spool, path):
    open_spool().put(records(1, 2))
    path.write_bytes(path.read_bytes().replace(b"entry 2", b"entry 7"))
    assert open_spool().peek(10)[0] == records(1)


def test_a_file_damaged_under_its_writer_is_no_silent_end(open_spool, path):
    spool = open_spool()
    spool.put(records(1, 2))
    path.write_bytes(path.read_bytes().replace(b"entry 1", b"entry 7"))
    with pytest.raises(OSError, match="cannot be read back"):
        spool.peek(10)


def test_a_full_spool_takes_what_has_room(open_spool):
    spool = open_spool(max_bytes=16 + 2 * 17)
    assert spool.put(records(1, 2, 3)) == 2
    assert spool.put(records(3)) == 0
    assert spool.peek(10)[0] == records(1, 2)


def test_a_record_larger_than_the_buffer_comes_back(open_spool):
    large = Spooled(65_535, bytes(3 << 20))
    spool = open_spool(max_bytes=1 << 23)
    spool.put([large, *records(1)])
    assert open_spool(max_bytes=1 << 23).peek(10)[0] == [large, *records(1)]


def test_a_second_writer_is_refused(open_spool, path):
    open_spool()
    with pytest.raises(StorageError, match="in use"):
        Spool(path, 1 << 20)


def test_a_file_that_is_no_spool_is_left_alone(open_spool, path):
    path.parent.mkdir()
    path.write_bytes(b"somebody's precious notes")
    with pytest.raises(StorageError, match="not a spool"):
        open_spool()
    assert path.read_bytes() == b"somebody's precious notes"


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot open the spool"):
        Spool(tmp_path / "file" / "spool", 1)
