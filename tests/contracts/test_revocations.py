"""What a revocation is, and what is none."""

import pytest

from contracts import streams, subjects
from contracts.revocations import read_revocation, revocation
from contracts.subjects import user_id


def test_a_revocation_names_its_user_in_the_subject_and_the_moment_in_the_body() -> None:
    subject, body = revocation(user_id("alice"), before=1_000.5)
    assert (subject, body) == ("revoked.alice", b'{"before":1000.5}')
    assert read_revocation(subject, body) == ("alice", 1_000.5)


def test_what_a_later_version_adds_is_ignored() -> None:
    assert read_revocation("revoked.alice", b'{"before":7,"why":"lost phone"}') == ("alice", 7.0)


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("revoked.alice", b""),
        ("revoked.alice", b"{}"),
        ("revoked.alice", b'{"before":"now"}'),
        ("revoked.alice", b'{"before":-1}'),
        ("revoked.alice", b'{"before":NaN}'),
        ("revoked.alice", b'{"before":1e999}'),
        ("revoked.alice", b"\xff"),
        ("revoked", b'{"before":1}'),
        ("revoked.alice.bob", b'{"before":1}'),
        ("revoked.*", b'{"before":1}'),
        ("events.alice.inbox", b'{"before":1}'),
        ("", b'{"before":1}'),
    ],
)
def test_what_is_no_revocation_is_a_value_error(subject: str, body: bytes) -> None:
    with pytest.raises(ValueError, match=r"revoked\.|Revocation"):
        read_revocation(subject, body)


def test_the_stream_has_one_message_a_user() -> None:
    assert streams.REVOCATIONS.latest_only
    assert streams.REVOCATIONS.subjects == (subjects.REVOCATION_ADDRESS.format(user_id="*"),)
