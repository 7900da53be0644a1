"""Owns asking one URL whether all is well, for the health check of a container: its image holds no other client."""

import sys
import urllib.error
import urllib.request
from collections.abc import Sequence

TIMEOUT = 3.0
"""Seconds for the answer; below the time-out of a health check, whose message would say less."""


def main(arguments: Sequence[str]) -> int:
    """`python -m chassis.probe http://127.0.0.1:8001/readyz`: 0 if the answer is 200, otherwise 1 and its body."""
    if len(arguments) != 1 or not arguments[0].startswith("http://"):
        sys.stderr.write("usage: python -m chassis.probe http://HOST:PORT/PATH\n")
        return 2
    try:
        with urllib.request.urlopen(arguments[0], timeout=TIMEOUT) as answer:  # noqa: S310 - it is http://
            answer.read()
    except urllib.error.HTTPError as refused:
        sys.stdout.write(f"{refused.code} {refused.read().decode(errors='replace').strip()}\n")
        return 1
    except OSError as error:
        sys.stdout.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
