"""Lending PostgreSQL another account."""

import os
import pwd
import stat
from pathlib import Path

import pytest

from devstack.account import Account, account_for, hand_over, let_read, make_private, open_way
from devstack.errors import DataDirectoryInUse

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root lends PostgreSQL another account")

SOMEBODY = Account("somebody", 12_345, 12_345)


def mode(path: Path) -> int:
    """The permissions of a file."""
    return stat.S_IMODE(path.stat().st_mode)


def test_only_the_right_to_pass_is_given_and_only_where_it_was_missing(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    half_open = closed / "half_open"
    target = half_open / "target"
    target.mkdir(parents=True, mode=0o700)
    half_open.chmod(0o751)
    closed.chmod(0o700)
    opened = open_way([target])
    assert closed in opened
    assert half_open not in opened
    assert (mode(closed), mode(half_open), mode(target)) == (0o701, 0o751, 0o700)
    assert open_way([target]) == []


def test_a_tree_is_made_readable_and_its_programs_runnable(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "bin").mkdir(parents=True, mode=0o700)
    tree.chmod(0o700)
    program, text = tree / "bin" / "program", tree / "text"
    program.touch()
    text.touch()
    program.chmod(0o700)
    text.chmod(0o600)
    (tree / "link").symlink_to("nowhere")
    let_read(tree)
    assert [mode(path) for path in (tree, tree / "bin", program, text)] == [0o705, 0o705, 0o705, 0o604]


def test_without_root_everybody_runs_it_themselves(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert account_for(tmp_path) is None


@as_root
def test_root_runs_it_as_nobody_and_somebodys_data_as_somebody(tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    assert account_for(tmp_path / "not yet") == Account("nobody", nobody.pw_uid, nobody.pw_gid)
    assert account_for(tmp_path) == Account("nobody", nobody.pw_uid, nobody.pw_gid)
    os.chown(tmp_path, SOMEBODY.uid, SOMEBODY.gid)
    somebody = account_for(tmp_path)
    assert somebody is not None
    assert (somebody.uid, somebody.gid) == (SOMEBODY.uid, SOMEBODY.gid)


@as_root
def test_a_directory_is_handed_over_with_all_in_it(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").touch()
    hand_over(tmp_path, SOMEBODY)
    assert {path.stat().st_uid for path in (tmp_path, *tmp_path.rglob("*"))} == {SOMEBODY.uid}


@as_root
def test_a_directory_that_somebody_else_made_first_is_refused(tmp_path: Path) -> None:
    ours, theirs, link = tmp_path / "ours", tmp_path / "theirs", tmp_path / "link"
    make_private(ours, SOMEBODY)
    make_private(ours, SOMEBODY)
    assert (ours.stat().st_uid, mode(ours)) == (SOMEBODY.uid, 0o700)
    theirs.mkdir()
    os.chown(theirs, 54_321, 54_321)
    link.symlink_to(theirs)
    for trap in (theirs, link):
        with pytest.raises(DataDirectoryInUse, match="was made by another user"):
            make_private(trap, SOMEBODY)
    assert theirs.stat().st_uid == 54_321
