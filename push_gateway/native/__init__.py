"""What is written in C, and loaded if it was compiled from the source that is here: `python -m push_gateway.native`.

It only does faster what is there in Python too, so a gateway without it misses nothing but speed.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

SOURCE: Final = Path(__file__).with_name("arrivals.c")

Take = Callable[
    [bytearray, dict[int, Callable[[Any], None]], dict[int, Callable[[Any, bytes, int, int], None]], type,
     Callable[[bytes], Any]],
    tuple[int, bool, Exception | None],
]  # fmt: skip
"""See `take` in the source."""


def fingerprint() -> str:
    """Names the source: what was compiled from another one is not loaded."""
    return hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:12]


def _load() -> Take | None:
    try:
        from push_gateway.native import _arrivals  # noqa: PLC0415 - it may not be there
    except ImportError:
        return None
    return _arrivals.take if fingerprint() == _arrivals.FINGERPRINT else None


take: Final = _load()
"""None if it was not compiled."""
