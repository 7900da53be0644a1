"""A disk that is filled up, where this machine lets us have one."""

import errno
from pathlib import Path

import pytest

from bench.faults import disk


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Where one can be had."""
    if (reason := disk.refusal()) is not None:
        pytest.skip(reason)
    return tmp_path / "small"


def test_a_full_disk_takes_nothing_until_it_is_free_again(small: Path) -> None:
    """What was there before stays as it was."""
    with disk.mounted(small, mib=1):
        (small / "before").write_text("kept")
        with disk.full(small):
            with pytest.raises(OSError, match="No space left") as refused:
                (small / "meanwhile").write_text("lost")
            assert refused.value.errno == errno.ENOSPC
        (small / "afterwards").write_text("taken")
        assert (small / "before").read_text() == "kept"
    assert list(small.iterdir()) == []
