"""A planted secret is found, and what is known to be harmless is not complained about."""

from pathlib import Path

import pytest
from detect_secrets.core.secrets_collection import SecretsCollection

from devstack.leaks import ROOT, files_of, news, scan

# In parts, so that this file is not complained about.
PLANTED = {
    "an AWS key": 'key = "AKIA' + 'Q3EGRZ5TQ7XKJ4WN"\n',
    "a private key": "-----BEGIN RSA " + "PRIVATE KEY-----\n",
    "a password in a URL": 'url = "postgresql://tandem:' + 'h0rseBattery@db.internal/x"\n',
    "a password in a setting": "AUTH_SECRET" + ' = "tq9V3xR7pLm2Wc8ZsK4d"\n',
    "a token": 'token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.' + 'c2lnbmF0dXJlc2lnbmF0dXJl"\n',
}


@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_secret_is_found(tmp_path: Path, what: str) -> None:
    """By file and line, without being repeated."""
    (tmp_path / "settings.py").write_text(f"import os\n{PLANTED[what]}")
    complaints = news(scan(tmp_path, ["settings.py"]), SecretsCollection())
    assert complaints
    assert all(each.startswith("settings.py:2: this looks like a secret (") for each in complaints)
    secret = PLANTED[what].split('"')[-2] if '"' in PLANTED[what] else PLANTED[what]
    assert not any(secret in each for each in complaints)


def test_what_is_known_is_not_complained_about_wherever_its_line_has_moved(tmp_path: Path) -> None:
    """But the same thing in another file is."""
    for name, before in {"old.py": "", "new.py": ""}.items():
        (tmp_path / name).write_text(before + PLANTED["a password in a setting"])
    known = scan(tmp_path, ["old.py"])
    (tmp_path / "old.py").write_text("import os\n\n" + PLANTED["a password in a setting"])
    complaints = news(scan(tmp_path, ["old.py", "new.py"]), known)
    assert {each.split(":")[0] for each in complaints} == {"new.py"}


def test_what_people_type_is_looked_at() -> None:
    """And not what is generated."""
    files = files_of(ROOT)
    assert {"README.md", "chassis/auth.py", "web/realtime.js", "Makefile"} <= set(files)
    assert not any(name.startswith(("requirements/", "contracts/schemas/")) for name in files)
