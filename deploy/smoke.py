"""Lets one person answer through the edge, and expects the frames on the other's socket. deploy/smoke.sh runs it in a
container of connection_service, which has the secret that tokens are signed with."""

import contextlib
import datetime as dt
import http.client
import json
import os
import secrets
import socket
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

EDGE = (os.environ.get("EDGE_HOST", "edge"), int(os.environ.get("EDGE_PORT", "443")))
HOST = os.environ.get("TANDEM_HOST", "localhost")
ORIGIN = os.environ["ALLOWED_ORIGINS"].partition(",")[0]
SECRET_FILE = Path(os.environ["AUTH_SECRET_FILE"])

PATIENCE = 15.0
"""Seconds for an answer, or a frame: what is lost on the live path is repaired within as many."""


def token_for(user: str) -> str:
    """A token as the application's own sign-in would make it."""
    names = {"iss": os.environ.get("AUTH_ISSUER", "tandem"), "aud": os.environ.get("AUTH_AUDIENCE", "tandem")}
    expires = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=5)
    return jwt.encode({"sub": user, "exp": expires, **names}, SECRET_FILE.read_text().strip(), algorithm="HS256")


def tls() -> ssl.SSLContext:
    """For localhost the edge signs its certificate itself, and nobody here knows its authority."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def call(user: str, method: str, path: str, body: dict[str, str] | None = None) -> Any:
    """The JSON of an answer; what is not 2xx ends the program."""
    connection = http.client.HTTPSConnection(HOST, timeout=PATIENCE)
    connection.sock = tls().wrap_socket(socket.create_connection(EDGE, PATIENCE), server_hostname=HOST)
    headers = {"Authorization": f"Bearer {token_for(user)}", "Content-Type": "application/json"}
    connection.request(method, path, json.dumps(body) if body else None, headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    if not 200 <= answer.status < 300:
        sys.exit(f"{method} {path}: {answer.status} {text}")
    return json.loads(text)


@contextlib.contextmanager
def listening(user: str) -> Iterator[ClientConnection]:
    """A socket that has been greeted."""
    with connect(
        f"wss://{HOST}/v1/push",
        sock=socket.create_connection(EDGE, PATIENCE),
        ssl=tls(),
        server_hostname=HOST,
        origin=Origin(ORIGIN),
        subprotocols=[Subprotocol("tandem.v1"), Subprotocol(f"bearer.{token_for(user)}")],
    ) as client:
        hello = json.loads(client.recv(PATIENCE))
        if hello["event"] != "hello":
            sys.exit(f"{user} was greeted with {hello}")
        yield client


def main() -> None:
    """Ends with exit code 1 and a line that says what was missing."""
    mark = secrets.token_hex(4)
    alice, bob, carol = (f"smoke-{name}-{mark}" for name in ("alice", "bob", "carol"))
    code = call(alice, "POST", "/v1/partnership/invites", {"time_zone": "UTC"})["code"]
    call(bob, "POST", "/v1/partnership/accept", {"code": code})
    today = call(alice, "GET", "/v1/daily-connections/today")
    with listening(bob) as bobs, listening(carol) as carols:
        call(alice, "POST", f"/v1/daily-connections/{today['id']}/answers", {"text": "All is well."})
        awaited = {"connection_answer:created", "inbox:created"}
        while awaited:
            try:
                frame = json.loads(bobs.recv(PATIENCE))
            except TimeoutError:
                sys.exit(f"{bob} was not told of {sorted(awaited)}")
            awaited.discard(frame["event"])
        with contextlib.suppress(TimeoutError):
            sys.exit(f"{carol} was sent {carols.recv(0.5)!r}")
    if call(bob, "GET", "/v1/inbox/unread-count")["unread_count"] != 1:
        sys.exit(f"{bob}'s inbox does not count the answer")
    sys.stdout.write("smoke: the answer was told to the partner, and to nobody else\n")


if __name__ == "__main__":
    try:
        main()
    except (OSError, WebSocketException) as error:
        sys.exit(f"{type(error).__name__}: {error}")
