"""Owns how a message to a client looks on the wire."""


def text_frame(payload: bytes) -> bytes:
    """A text message of a server as it goes over the wire (RFC 6455 section 5.2), the same for every client."""
    size = len(payload)
    if size < 126:
        return b"\x81%c%b" % (size, payload)
    if size < 65536:
        return b"\x81\x7e%b%b" % (size.to_bytes(2), payload)
    return b"\x81\x7f%b%b" % (size.to_bytes(8), payload)
