"""`python -m push_gateway` serves."""

import sys

from chassis import logs, process, tracing
from chassis.settings import AuthSettings, BusSettings, LogSettings, TraceSettings, load
from push_gateway import app, workers
from push_gateway.settings import Settings

if __name__ == "__main__":
    logs.configure(load(LogSettings), service=app.NAME)
    if sys.argv[1:]:
        sys.stderr.write("usage: python -m push_gateway\n")
        raise SystemExit(2)
    settings, auth, nats, traces = load(Settings), load(AuthSettings), load(BusSettings), load(TraceSettings)
    if settings.workers > 1 and not workers.is_worker():
        process.main(lambda stop: workers.serve(settings, stop))
    else:
        tracing.configure(traces, service=app.NAME)
        process.main(lambda stop: app.serve(settings, auth, nats, stop))
