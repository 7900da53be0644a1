"""What goes over the wire to a client."""

import pytest
from websockets.frames import Frame, Opcode

from push_gateway.wire import text_frame


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 100_000])
def test_a_text_frame_is_as_the_library_would_write_it(size: int) -> None:
    """At each size at which RFC 6455 writes the length in another way."""
    payload = b"x" * size
    assert text_frame(payload) == Frame(Opcode.TEXT, payload).serialize(mask=False)
