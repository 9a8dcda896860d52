"""A copy put aside is whole, or it is not there."""

import errno

import pytest

from engine.storage.aside import copy_aside

AT = 1_790_000_000_000


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "files"
    (folder / "deeper").mkdir(parents=True)
    (folder / "small").write_bytes(b"small")
    (folder / "deeper" / "large").write_bytes(bytes(9_000))
    return folder


def test_a_folder_is_copied_with_all_that_is_in_it(folder):
    copy = copy_aside(folder, AT)
    assert (copy / "small").read_bytes() == b"small"
    assert (copy / "deeper" / "large").read_bytes() == bytes(9_000)
    assert sorted(it.name for it in copy.iterdir()) == ["deeper", "small"]


@pytest.mark.parametrize("name", ["", "deeper/large"], ids=["a folder", "a file"])
def test_of_a_copy_that_finds_no_room_nothing_is_left_and_the_reason_is_told(folder, largest_file, name):
    wanted = folder / name
    before = sorted(wanted.parent.iterdir())
    with largest_file(4_096), pytest.raises(OSError, match="File too large") as told:
        copy_aside(wanted, AT)
    assert told.value.errno == errno.EFBIG
    assert sorted(wanted.parent.iterdir()) == before
