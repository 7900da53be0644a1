"""Who gets a socket and who does not, over real sockets; and the plain HTTP side."""

import base64
import json
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from websockets.exceptions import InvalidStatus

from chassis.settings import AuthSettings
from contracts.frames import HelloFrame
from devstack.waiting import until
from tests.push_gateway.clients import PATIENCE, Client
from tests.push_gateway.conftest import Connect, ConnectRaw
from tests.push_gateway.stage import AUTH, Events, Gateway, MonitoredNats, events_on, running_gateway, token_for


def encoded(claims: dict[str, object], *, algorithm: str = "HS256", key: str = AUTH.secret or "") -> str:
    """A token that says exactly this, on top of what is right."""
    right = {"sub": "mallory", "aud": "tandem", "iss": "tandem", "exp": time.time() + 3_600}
    return jwt.encode({**right, **claims}, key, algorithm=algorithm)


REFUSED_TOKENS = {
    "nothing at all": "-",
    "malformed": "a.b.c",
    "wrong audience": encoded({"aud": "somebody-else"}),
    "wrong issuer": encoded({"iss": "somebody-else"}),
    "expired": encoded({"exp": time.time() - 60}),
    "no expiry": jwt.encode({"sub": "mallory", "aud": "tandem", "iss": "tandem"}, AUTH.secret or "", "HS256"),
    "no subject": jwt.encode(
        {"aud": "tandem", "iss": "tandem", "exp": time.time() + 3_600}, AUTH.secret or "", "HS256"
    ),
    "another secret": encoded({}, key="another secret, of 32 characters and more"),
    "alg none": encoded({}, algorithm="none", key=""),
    "alg we do not use": encoded({}, algorithm="HS512"),
}


async def test_the_first_frame_is_a_hello(connect: Connect, events: Events, alice: str) -> None:
    """It says who one is, where one stands, in which history, and how often to expect a sign of life."""
    [stored] = await events.store(alice)
    client = await connect(alice)
    hello = await client.hello()
    HelloFrame.model_validate(hello)
    info = await events.stream.info()
    assert info is not None
    assert hello == {
        "event": "hello",
        "seq": stored.seq,
        "data": {"user_id": alice, "epoch": (info.config.metadata or {})["epoch"], "resumed": False, "heartbeat": 25},
    }


async def test_the_answered_subprotocol_is_ours_and_never_the_token(connect: Connect, alice: str) -> None:
    """In whichever order they were offered: an answer is logged by proxies."""
    for offered in (["tandem.v1", f"bearer.{token_for(alice)}"], [f"bearer.{token_for(alice)}", "tandem.v1"]):
        client = await connect(subprotocols=offered)
        assert client.socket.subprotocol == "tandem.v1"
        assert client.socket.response is not None
        assert "bearer" not in str(client.socket.response.headers)


async def test_the_token_may_come_in_the_authorization_header(connect: Connect, alice: str) -> None:
    """For clients that are no browsers; they need not offer a subprotocol at all."""
    client = await connect(subprotocols=(), headers={"Authorization": f"Bearer {token_for(alice)}"})
    assert (await client.hello())["data"]["user_id"] == alice
    assert client.socket.subprotocol is None


@pytest.mark.parametrize("name", ["token", "access_token", "bearer"])
async def test_a_token_in_the_url_is_not_accepted(connect: Connect, alice: str, name: str) -> None:
    """It would stand in every log on the way."""
    client = await connect(subprotocols=("tandem.v1",), query=f"{name}={token_for(alice)}")
    assert (await client.closed()).code == 4401
    assert client.frames == []


@pytest.mark.parametrize("why", REFUSED_TOKENS)
async def test_a_refused_token_is_accepted_and_then_closed(connect: Connect, why: str) -> None:
    """With 4401 and no frame: a browser cannot read a refused handshake."""
    client = await connect(token=REFUSED_TOKENS[why])
    assert (await client.closed()).code == 4401
    assert client.frames == []


async def test_the_public_key_is_no_secret(nats: MonitoredNats, own_events: Events, connect: Connect) -> None:
    """A token that is signed with it by HS256 is refused, while one signed with the private key is taken."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    header, payload = (
        {"alg": "HS256", "typ": "JWT"},
        jwt.decode(token_for("eve"), options={"verify_signature": False}),
    )
    signing_input = b".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, payload)
    )
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(signing_input, public)
    forged = b".".join([signing_input, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()
    async with running_gateway(nats, auth=AuthSettings(public_key=public.decode())) as gateway:
        refused = await connect(to=gateway, token=forged)
        assert (await refused.closed()).code == 4401
        taken = await connect(to=gateway, token=jwt.encode(payload, key, algorithm="RS256"))
        assert (await taken.hello())["data"]["user_id"] == "eve"


@pytest.mark.parametrize("origin", [None, "https://tandem.example"])
async def test_an_origin_that_is_absent_or_on_the_list_may_connect(
    connect: Connect, alice: str, origin: str | None
) -> None:
    """Only browsers send one."""
    await (await connect(alice, origin=origin)).hello()


@pytest.mark.parametrize("origin", ["https://evil.example", "http://tandem.example", "null"])
async def test_a_foreign_origin_is_closed_with_4403(connect: Connect, alice: str, origin: str) -> None:
    """Whatever token its visitor has."""
    client = await connect(alice, origin=origin)
    assert (await client.closed()).code == 4403
    assert client.frames == []


@pytest.mark.parametrize("user", ["*", ">", "a.b", "alice.inbox", "", " ", "a b", "a\r\nSUB > 9", "é", "x" * 65, "a/b"])
async def test_a_user_id_that_no_subject_may_carry_subscribes_to_nothing(
    connect: Connect, shared_nats: MonitoredNats, user: str
) -> None:
    """4403: a wildcard in it would read others' events, a line end would speak to the server."""
    before = await shared_nats.subscriptions()
    client = await connect(user)
    assert (await client.closed()).code == 4403
    assert client.frames == []
    assert await shared_nats.subscriptions() <= before


@pytest.mark.parametrize("path", ["/", "/v1/push/", "/v1/pushy", "/v2/push", "//[", "/v1", "/metrics/"])
async def test_anywhere_else_there_is_nothing(gateway: Gateway, path: str) -> None:
    """404, with the right path in the answer."""
    status, body = await gateway.get(path)
    assert (status, "/v1/push" in body) == (404, True)


async def test_a_handshake_at_another_path_is_refused(gateway: Gateway, alice: str) -> None:
    """There is no socket to close."""
    with pytest.raises(InvalidStatus) as refused:
        await Client.open(gateway.port, path="/v2/push", headers={"Authorization": f"Bearer {token_for(alice)}"})
    assert refused.value.response.status_code == 404


async def test_the_plain_http_side_answers(gateway: Gateway, connect: Connect, alice: str) -> None:
    """Alive, ready, and what was counted in Prometheus's text format."""
    assert (await gateway.get("/healthz"))[0] == 200
    assert (await gateway.get("/readyz"))[0] == 200
    await (await connect(alice)).hello()
    status, text = await gateway.get("/metrics?x=1")
    assert status == 200
    assert "# TYPE tandem_push_sockets gauge" in text
    assert await gateway.count("tandem_push_sockets ") >= 1


async def test_without_nats_or_the_stream_nobody_is_greeted(connect: Connect, nats: MonitoredNats) -> None:
    """A socket gets 1013 rather than a hello; as soon as both are there, nothing has to be started anew."""
    await nats.stop()
    async with running_gateway(nats, wait=False) as gateway:
        assert await until(gateway.is_alive, within=PATIENCE)
        assert not await gateway.is_ready()
        client = await connect("alice", to=gateway)
        assert ((await client.closed()).code, client.frames) == (1013, [])
        await nats.start()
        assert await until(lambda: subscribed(nats), within=PATIENCE), "it has connected"
        client = await connect("alice", to=gateway)
        assert ((await client.closed()).code, client.frames) == (1013, [])
        assert not await gateway.is_ready()
        async with events_on(nats) as events:
            assert await until(gateway.is_ready, within=PATIENCE)
            client = await connect("alice", to=gateway)
            [stored] = await events.store("alice")
            assert await client.take(1) == [stored.frame]


async def test_readiness_follows_nats(connect: Connect, nats: MonitoredNats, own_gateway: Gateway) -> None:
    """While it is away new sockets get 1013, and nothing of them is left when it is back."""
    assert await own_gateway.is_ready()
    await nats.kill()
    assert await until(own_gateway.is_not_ready, within=PATIENCE)
    assert await own_gateway.is_alive()
    client = await connect("alice", to=own_gateway)
    assert ((await client.closed()).code, client.frames) == (1013, [])
    await nats.start()
    assert await until(own_gateway.is_ready, within=PATIENCE)
    assert "push.alice.*" not in await nats.subscriptions()
    await (await connect("alice", to=own_gateway)).hello()


async def test_a_feed_that_could_not_be_opened_is_opened_for_the_next_one(
    nats: MonitoredNats, own_gateway: Gateway, connect: Connect, connect_raw: ConnectRaw
) -> None:
    """Also while a socket that was refused for that reason is still there."""
    await nats.kill()
    assert await until(own_gateway.is_not_ready, within=PATIENCE)
    await connect_raw("alice", to=own_gateway)
    await nats.start()
    assert await until(own_gateway.is_ready, within=PATIENCE)
    client = await connect("alice", to=own_gateway)
    assert (await client.hello())["data"]["user_id"] == "alice"


async def subscribed(nats: MonitoredNats) -> bool:
    """Whether the gateway has subscribed to anything."""
    return bool(await nats.subscriptions())
