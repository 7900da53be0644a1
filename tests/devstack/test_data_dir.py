"""What lies in DATA_DIR."""

import stat
from pathlib import Path

import pytest

from devstack.data_dir import DataDir, fingerprint
from devstack.errors import BadSetting, DataDirectoryInUse


def test_only_one_runner_works_in_a_directory(tmp_path: Path) -> None:
    with (
        DataDir(tmp_path).locked(),
        pytest.raises(DataDirectoryInUse, match=r"in use by another `make run` \(process \d+\)"),
        DataDir(tmp_path).locked(),
    ):
        pass


def test_a_runner_sees_whether_the_one_before_it_was_killed(tmp_path: Path) -> None:
    with DataDir(tmp_path).locked() as killed:
        assert not killed
    with DataDir(tmp_path).locked() as killed:
        assert not killed
    (tmp_path / "runner.lock").write_text("12345")  # what one that was killed leaves
    with DataDir(tmp_path).locked() as killed:
        assert killed


def test_a_directory_that_cannot_be_one_is_refused_by_the_name_of_its_variable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(BadSetting, match=r"^DATA_DIR=.*/file/data: Not a directory$"),
        DataDir(tmp_path / "file" / "data").locked(),
    ):
        pass


def test_the_secret_is_long_kept_and_its_owners_only(tmp_path: Path) -> None:
    secret = DataDir(tmp_path).secret()
    assert len(secret) >= 32
    assert DataDir(tmp_path).secret() == secret
    assert stat.S_IMODE((tmp_path / "auth-secret").stat().st_mode) == 0o600


def test_each_directory_has_its_own_secret_and_fingerprint(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    assert DataDir(one).secret() != DataDir(two).secret()
    assert fingerprint(one) != fingerprint(two)
    assert fingerprint(one) == fingerprint(two / ".." / "one")
