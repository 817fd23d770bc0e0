"""Members of archives that are written and read where they lie."""

import io
import zipfile

import pytest

from nnlite.saving.archive_members import member_to_fill, member_to_read

CONTENT = bytes(range(256)) * 3000


def filled(target):
    """An archive with a member that is written out of order, between two others."""
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("before", b"1")
        with member_to_fill(archive, zipfile.ZipInfo("large")) as file:
            file.seek(1000)
            file.write(CONTENT[1000:] + b"too much")
            file.truncate(len(CONTENT))
            file.seek(0)
            file.write(CONTENT[:1000])
            assert file.tell() == 1000 and file.seek(0, io.SEEK_END) == len(CONTENT)
        archive.writestr("behind", b"2")
    return target


@pytest.fixture(params=["on the disk", "in memory"])
def archive(request, tmp_path):
    with zipfile.ZipFile(
        filled(tmp_path / "a.zip" if request.param == "on the disk" else io.BytesIO())
    ) as archive:
        yield archive


def test_member_that_is_filled_in_any_order_is_whole(archive):
    assert archive.testzip() is None
    assert archive.namelist() == ["before", "large", "behind"]
    assert archive.read("large") == CONTENT and archive.read("behind") == b"2"
    with member_to_read(archive, archive.getinfo("large")) as file:
        assert file.read() == CONTENT and file.read() == b""
        assert file.seek(-10, io.SEEK_END) and file.read(5) == CONTENT[-10:-5]
        assert file.seek(-5, io.SEEK_CUR) == len(CONTENT) - 10


@pytest.mark.parametrize("check_first", [True, False])
def test_wrong_checksum_is_told_before_the_block_or_whatever_it_raises(check_first, archive):
    info, reached = archive.getinfo("large"), []
    info.CRC ^= 1
    with (
        pytest.raises(zipfile.BadZipFile, match="Bad CRC-32 for file 'large'"),
        member_to_read(archive, info, check_first),
    ):
        reached.append(True)
        raise ValueError
    in_memory = archive.filename is None
    assert bool(reached) == (not check_first and not in_memory)
