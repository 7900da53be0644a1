"""What the environment may say, and what is said about it when it is wrong."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from pydantic import Field
from pydantic_settings import BaseSettings

from chassis.settings import AuthSettings, BusSettings, DatabaseUrl, LogSettings, Port, ServiceSettings, load

ROOT = Path(__file__).parents[2]
SECRET = "a secret for tests, of 32 characters and more"
ED25519 = Ed25519PrivateKey.generate()
PEM = ED25519.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


class Settings(ServiceSettings):
    """Of a service of the tests' own."""

    database_url: DatabaseUrl = Field(validation_alias="THINGS_DATABASE_URL")
    port: Port = Field(8000, validation_alias="THINGS_PORT")


Refused = Callable[..., str]


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read here and set where the tests run would be read as well."""
    for name in os.environ:
        if name.startswith(("AUTH_", "NATS_", "LOG_", "THINGS_")):
            monkeypatch.delenv(name)


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refused:
    """`refused(Settings, THINGS_PORT="x")`: what is said before the process ends with exit code 2."""

    def read(settings: type[BaseSettings], **environment: str) -> str:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            load(settings)
        assert ended.value.code == 2
        return capsys.readouterr().err

    return read


@pytest.mark.parametrize(
    ("settings", "variable", "value", "right"),
    [
        (LogSettings, "LOG_LEVEL", "loud", "should be 'DEBUG', 'INFO', 'WARNING' or 'ERROR' (given: 'loud')"),
        (LogSettings, "LOG_FORMAT", "xml", "should be 'auto', 'console' or 'json' (given: 'xml')"),
        (BusSettings, "NATS_REPLICAS", "six", "should be a valid integer"),
        (BusSettings, "NATS_REPLICAS", "6", "should be less than or equal to 5 (given: '6')"),
        (BusSettings, "NATS_URL", "http://host:4222", "must be nats://host:port or tls://host:port"),
        (BusSettings, "NATS_URL", "nats://one:4222,two:4222", "must be nats://host:port or tls://host:port"),
        (BusSettings, "NATS_URL", "nats://host:port", "must be nats://host:port or tls://host:port"),
        (BusSettings, "NATS_NKEY_SEED_FILE", "/nowhere/at/all", "must be the path of a file that we may read"),
        (BusSettings, "NATS_NKEY_SEED_FILE", "/dev/null", "with the seed of a user's NKEY (SU...)"),
        (AuthSettings, "AUTH_SECRET", "short", "should have at least 32 characters"),
        (AuthSettings, "AUTH_JWKS_URL", "ftp://issuer", "should match pattern '^https?://' (given: 'ftp://issuer')"),
        (AuthSettings, "AUTH_PUBLIC_KEY", "/nowhere/at/all", "must be an RSA, P-256 or Ed25519 public key as PEM"),
        (AuthSettings, "AUTH_PUBLIC_KEY", "A" * 300, "or the path of a file that holds one"),
        (AuthSettings, "AUTH_PUBLIC_KEY", "-----BEGIN PUBLIC KEY-----", "must be an RSA, P-256 or Ed25519 public key"),
        (AuthSettings, "AUTH_LEEWAY", "61", "should be less than or equal to 60 (given: '61')"),
        (AuthSettings, "AUTH_DEV", "perhaps", "should be a valid boolean"),
        (Settings, "THINGS_PORT", "http", "should be a valid integer"),
        (Settings, "THINGS_PORT", "0", "should be greater than or equal to 1 (given: '0')"),
        (Settings, "THINGS_PORT", "65536", "should be less than or equal to 65535 (given: '65536')"),
        (Settings, "THINGS_DATABASE_URL", "postgresql://u:p@host/things", "must look like postgresql+asyncpg://"),
        (Settings, "THINGS_DATABASE_URL", "postgresql+asyncpg://u:p@host:x/things", "must look like postgresql+async"),
        (Settings, "ALLOWED_ORIGINS", "https://a.example,b.example", "'b.example' must be scheme://host"),
        (Settings, "ALLOWED_ORIGINS", "https://a.example/", "'https://a.example/' must be scheme://host"),
    ],
)
def test_a_wrong_value_names_its_variable_and_what_would_be_right(
    refused: Refused, settings: type[BaseSettings], variable: str, value: str, right: str
) -> None:
    """In one line each, and the process ends with exit code 2."""
    lines = refused(settings, **{variable: value}).splitlines()
    (line,) = [line for line in lines if line.startswith(f"{variable}: ")]
    assert right in line


def test_every_wrong_value_is_named_at_once(refused: Refused) -> None:
    """Nobody has to start the service once for each mistake."""
    said = refused(Settings, THINGS_PORT="http", ALLOWED_ORIGINS="nonsense")
    assert [line.partition(":")[0] for line in said.splitlines()] == [
        "ALLOWED_ORIGINS",
        "THINGS_DATABASE_URL",
        "THINGS_PORT",
    ]


def test_a_variable_that_must_be_set_is_named_with_an_example(refused: Refused) -> None:
    """Also when it is set to nothing, as compose does with a variable that it does not know."""
    example = "THINGS_DATABASE_URL: must be set (postgresql+asyncpg://user:password@host:5432/database)\n"
    assert refused(Settings) == example
    assert refused(Settings, THINGS_DATABASE_URL="") == example


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "set exactly one of AUTH_SECRET, AUTH_PUBLIC_KEY and AUTH_JWKS_URL"),
        ({"AUTH_SECRET": SECRET, "AUTH_PUBLIC_KEY": PEM}, "; set now: AUTH_SECRET, AUTH_PUBLIC_KEY"),
        ({"AUTH_PUBLIC_KEY": PEM, "AUTH_DEV": "1"}, "AUTH_DEV=1 needs AUTH_SECRET"),
    ],
)
def test_there_is_exactly_one_key(refused: Refused, environment: dict[str, str], said: str) -> None:
    """And development tokens need the one to sign with."""
    assert said in refused(AuthSettings, **environment)


@pytest.mark.parametrize(
    ("settings", "environment"),
    [
        (AuthSettings, {"AUTH_SECRET": "hunter2"}),
        (AuthSettings, {"AUTH_SECRET": f"hunter2 {SECRET}", "AUTH_PUBLIC_KEY": "hunter2"}),
        (AuthSettings, {"AUTH_SECRET": f"hunter2 {SECRET}", "AUTH_LEEWAY": "x"}),
        (BusSettings, {"NATS_NKEY_SEED_FILE": "SUhunter2"}),
        (BusSettings, {"NATS_URL": "http://user:hunter2@host"}),
        (BusSettings, {"NATS_URL": "nats://user:hunter2@host:x"}),
        (Settings, {"THINGS_DATABASE_URL": "postgres://user:hunter2@host/things"}),
        (Settings, {"THINGS_DATABASE_URL": "postgresql+asyncpg://user:hunter2@host/things", "THINGS_PORT": "x"}),
    ],
)
def test_a_secret_is_never_printed(refused: Refused, settings: type[BaseSettings], environment: dict[str, str]) -> None:
    """Neither when it is wrong itself nor when something beside it is."""
    said = refused(settings, **environment)
    assert said
    assert "hunter2" not in said


def test_a_private_key_in_the_place_of_the_public_one_is_refused_unseen(refused: Refused, tmp_path: Path) -> None:
    """The file that is named is the wrong one, and what stands in it is nobody's business."""
    private = ED25519.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    file = tmp_path / "key.pem"
    file.write_text(private)
    said = refused(AuthSettings, AUTH_PUBLIC_KEY=str(file))
    assert said.startswith("AUTH_PUBLIC_KEY: must be an RSA, P-256 or Ed25519 public key")
    assert private.splitlines()[1] not in said


def test_a_public_key_of_another_kind_is_refused(refused: Refused) -> None:
    """Better at the start than at the first token."""
    key = generate_private_key(SECP384R1()).public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    assert refused(AuthSettings, AUTH_PUBLIC_KEY=pem).startswith("AUTH_PUBLIC_KEY: must be an RSA, P-256 or Ed25519")


def test_what_is_right_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Lists by their commas, a key from its file, and what is empty as if it were not set."""
    file = tmp_path / "key.pem"
    file.write_text(PEM)
    for name, value in {
        "NATS_URL": "nats://one:4222, tls://user:secret@two:4222",
        "NATS_REPLICAS": "3",
        "AUTH_PUBLIC_KEY": str(file),
        "AUTH_SECRET": "",
        "THINGS_DATABASE_URL": "postgresql+asyncpg://postgres@/things?host=/a/socket&port=5432",
        "THINGS_PORT": "",
        "ALLOWED_ORIGINS": "https://a.example, http://127.0.0.1:8001,",
        "HOST": "",
    }.items():
        monkeypatch.setenv(name, value)
    assert load(BusSettings) == BusSettings(url=("nats://one:4222", "tls://user:secret@two:4222"), replicas=3)
    assert load(AuthSettings).public_key == PEM
    settings = load(Settings)
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.allowed_origins == ("https://a.example", "http://127.0.0.1:8001")


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_secret_is_read_from_the_file_that_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ending: str
) -> None:
    """Whatever the variable's name comes from, and without the end of the line that an editor leaves."""
    url = "postgresql+asyncpg://things:hunter2@host/things"
    for variable, value in {
        "AUTH_SECRET": SECRET,
        "THINGS_DATABASE_URL": url,
        "NATS_URL": "nats://a:1,nats://b:2",
    }.items():
        file = tmp_path / variable
        file.write_bytes(f"{value}{ending}".encode())
        monkeypatch.setenv(f"{variable}_FILE", str(file))
        monkeypatch.setenv(variable, "")  # as compose does with a variable that it does not know
    assert load(AuthSettings).secret == SECRET
    assert load(Settings).database_url == url
    assert load(BusSettings).url == ("nats://a:1", "nats://b:2")


def test_what_stands_in_a_file_is_judged_as_the_variable_is(refused: Refused, tmp_path: Path) -> None:
    """And is repeated as little."""
    file = tmp_path / "secret"
    file.write_text("hunter2\n")
    said = refused(AuthSettings, AUTH_SECRET_FILE=str(file))
    assert said == "AUTH_SECRET: String should have at least 32 characters\n"


def test_a_secret_is_set_once(refused: Refused, tmp_path: Path) -> None:
    """Of two values nobody could say which one holds."""
    file = tmp_path / "secret"
    file.write_text(SECRET)
    said = refused(AuthSettings, AUTH_SECRET=SECRET, AUTH_SECRET_FILE=str(file))
    assert said == "set AUTH_SECRET or AUTH_SECRET_FILE, not both\n"


def test_a_secret_file_that_holds_no_secret_is_named(refused: Refused, tmp_path: Path) -> None:
    """With what is wrong with it, and exit code 2."""
    empty, binary, missing = (tmp_path / name for name in ("empty", "binary", "missing"))
    empty.write_text("\n")
    binary.write_bytes(b"\xff\xfe hunter2")
    for path, reason in {
        missing: f"cannot read {str(missing)!r}: No such file or directory",
        tmp_path: f"cannot read {str(tmp_path)!r}: Is a directory",
        binary: f"cannot read {str(binary)!r}: it is not text in UTF-8",
        empty: f"{str(empty)!r} is empty",
    }.items():
        assert refused(AuthSettings, AUTH_SECRET_FILE=str(path)) == f"AUTH_SECRET_FILE: {reason}\n"


def test_what_is_no_secret_has_no_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where there are two ways to say something, one of them is overlooked."""
    monkeypatch.setenv("LOG_LEVEL_FILE", str(tmp_path / "missing"))
    assert load(LogSettings).level == "INFO"


@pytest.mark.parametrize(
    ("module", "environment", "said"),
    [
        ("connection_service", {}, "CONNECTION_DATABASE_URL: must be set"),
        (
            "connection_service",
            {"CONNECTION_DATABASE_URL": "postgresql+asyncpg:///x"},
            "set exactly one of AUTH_SECRET",
        ),
        ("push_gateway", {"AUTH_SECRET": "hunter2"}, "AUTH_SECRET: String should have at least 32 characters"),
        (
            "push_gateway",
            {"TRUSTED_PROXIES": "127.0.0.1, 10.0.0.1/8", "AUTH_SECRET": SECRET},
            "TRUSTED_PROXIES: '10.0.0.1/8' must be an address or a network",
        ),
        (
            "connection_service",
            {"CONNECTION_DATABASE_URL": "postgresql+asyncpg:///x", "HTTP_REQUESTS_PER_USER": "0.5"},
            "HTTP_REQUESTS_PER_USER: must be 0, for no limit, or at least 1",
        ),
        ("push_gateway", {"LOG_LEVEL": "loud", "AUTH_SECRET": SECRET}, "LOG_LEVEL: Input should be 'DEBUG'"),
        ("push_gateway", {"HOST": "nowhere.invalid", "AUTH_SECRET": SECRET}, "HOST: 'nowhere.invalid' must be an IPv4"),
    ],
)
async def test_a_service_with_a_wrong_environment_ends_with_one_line_and_exit_code_2(
    module: str, environment: dict[str, str], said: str
) -> None:
    """No traceback, and nothing was started."""
    service = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module), env=environment, cwd=ROOT, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(30):
        _, output = await service.communicate()
    assert (service.returncode, output.decode().count("\n")) == (2, 1)
    assert output.decode().startswith(said)
    assert "hunter2" not in output.decode()
