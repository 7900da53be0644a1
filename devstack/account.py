"""Owns whom PostgreSQL runs as. It refuses to be root, so root lends it another account and lets that one pass."""

import os
import pwd
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from devstack.errors import DataDirectoryInUse

READABLE = stat.S_IROTH
PASSABLE = stat.S_IXOTH


@dataclass(frozen=True)
class Account:
    """A user that is not us."""

    name: str
    uid: int
    gid: int


def account_for(data_dir: Path) -> Account | None:
    """Whom a server on `data_dir` runs as: None (ourselves) unless we are root.

    For root it is the directory's owner, so that somebody's own data stay theirs after one `sudo make run`, and
    `nobody` where root itself is the owner or there is no directory yet.
    """
    if os.geteuid() != 0:
        return None
    owner = data_dir.stat() if data_dir.exists() else None
    if owner is None or owner.st_uid == 0:
        nobody = pwd.getpwnam("nobody")
        return Account(nobody.pw_name, nobody.pw_uid, nobody.pw_gid)
    return Account(f"user {owner.st_uid}", owner.st_uid, owner.st_gid)


def hand_over(directory: Path, account: Account) -> None:
    """Give `directory` and all in it to `account`, if it is not theirs."""
    if directory.stat().st_uid == account.uid:
        return
    for parent, folders, files in os.walk(directory):
        for name in (*folders, *files):
            os.chown(Path(parent, name), account.uid, account.gid, follow_symlinks=False)
    os.chown(directory, account.uid, account.gid)  # last: the sign that all is done


def make_private(directory: Path, account: Account | None) -> None:
    """Make a directory for the server alone in a place where everybody may make one.

    Raises:
        DataDirectoryInUse: somebody else made it, and could put a socket of theirs in there.
    """
    directory.mkdir(mode=0o700, exist_ok=True)
    status = directory.lstat()
    server = os.geteuid() if account is None else account.uid
    if not stat.S_ISDIR(status.st_mode) or status.st_uid not in (os.geteuid(), server):
        raise DataDirectoryInUse(f"{directory} was made by another user: remove it, or set a shorter DATA_DIR")
    os.chown(directory, server, -1)


def open_way(targets: Iterable[Path]) -> list[Path]:
    """Let others pass (o+x, no more) through the directories above `targets`; return those that had been closed."""
    opened: list[Path] = []
    for directory in sorted({parent for target in targets for parent in target.parents}):
        mode = directory.stat().st_mode
        if not mode & PASSABLE:
            directory.chmod(stat.S_IMODE(mode) | PASSABLE)
            opened.append(directory)
    return opened


def let_read(tree: Path) -> None:
    """Let others read `tree`, and run what its owner may run: an installation under umask 077 is its owner's only."""
    for parent, _, files in os.walk(tree):
        for path in (Path(parent), *(Path(parent, name) for name in files)):
            mode = stat.S_IMODE(path.lstat().st_mode)
            wanted = mode | READABLE | (PASSABLE if mode & stat.S_IXUSR else 0)
            if wanted != mode and not path.is_symlink():
                path.chmod(wanted)
