"""A service as the runner sees one: `/readyz` is 200, `/die?CODE` ends it, `/environment` tells what it was told."""

import argparse
import json
import os
import signal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Answers."""

    def do_GET(self) -> None:
        """Answer one request."""
        if self.path.startswith("/die?"):
            os._exit(int(self.path.partition("?")[2]))
        body = json.dumps(dict(os.environ)).encode() if self.path == "/environment" else b""
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - http.server's name
        """Say nothing."""


parser = argparse.ArgumentParser()
parser.add_argument("port", type=int)
parser.add_argument("--stubborn", action="store_true", help="ignore SIGTERM")
options = parser.parse_args()
if options.stubborn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("stand-in is up")
ThreadingHTTPServer(("127.0.0.1", options.port), Handler).serve_forever()
