"""The keys of the bus."""

import stat
import sys
from pathlib import Path

import pytest

from devstack.bus_keys import ACCOUNTS, PUBLIC_KEYS, BusKeys
from devstack.errors import BadSetting
from devstack.processes import Child

ROOT = Path(__file__).parents[2]


def test_each_account_has_a_key_of_its_own_which_is_kept(tmp_path: Path) -> None:
    keys = BusKeys(tmp_path / "keys").public_keys()
    assert len(set(keys.values())) == len(keys) == len(ACCOUNTS)
    assert all(key.startswith("U") for key in keys.values())
    assert BusKeys(tmp_path / "keys").public_keys() == keys
    assert BusKeys(tmp_path / "others").public_keys() != keys


def test_what_is_secret_is_its_owners_only(tmp_path: Path) -> None:
    keys = BusKeys(tmp_path)
    keys.publish()
    keys.route_password()
    secrets = [path for path in tmp_path.iterdir() if path.name != PUBLIC_KEYS]
    assert len(secrets) == len(ACCOUNTS) + 1
    assert {stat.S_IMODE(path.stat().st_mode) for path in secrets} == {0o600}
    public = (tmp_path / PUBLIC_KEYS).read_text()
    assert not any(path.read_text() in public for path in secrets)


def test_a_file_that_holds_no_seed_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "inbox.seed").write_text("not a seed")
    with pytest.raises(BadSetting, match=r"inbox\.seed holds no seed of an NKEY: remove it"):
        BusKeys(tmp_path).public_keys()


def test_a_folder_that_cannot_be_one_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadSetting, match=r"file/keys/.*: Not a directory"):
        BusKeys(tmp_path / "file" / "keys").publish()


async def test_the_command_makes_what_a_deployer_needs(tmp_path: Path) -> None:
    """And tells where it is."""
    lines: list[str] = []
    command = [sys.executable, "-m", "devstack", "keys", str(tmp_path / "keys")]
    process = Child("keys", command, env={"PYTHONPATH": str(ROOT)}, sink=lambda _, line: lines.append(line))
    await process.spawn()
    assert await process.wait() == 0
    assert lines == [str(tmp_path / "keys" / PUBLIC_KEYS)]
    told = dict(line.split("=") for line in (tmp_path / "keys" / PUBLIC_KEYS).read_text().splitlines())
    assert told == BusKeys(tmp_path / "keys").public_keys()
