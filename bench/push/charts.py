"""Owns which pictures the page has."""

from bench.push.figures import Figure, a_second, kib, latency, rates, spread, us
from bench.push.plots import Chart, Points
from bench.push.rows import Results, What


def charts(results: Results) -> dict[str, Chart]:
    """The pictures, by the names of their files."""
    cost = "microseconds of the servers' CPU"
    return {
        "push-cpu": Chart("CPU a delivered event, one device", "sockets", cost, over(results, "flat", us, 1)),
        "push-cpu-10": Chart("CPU a delivered event, ten devices", "sockets", cost, over(results, "flat", us, 10)),
        "push-memory": Chart("Memory of an idle socket", "sockets", "KiB", over(results, "idle", kib("servers"), 1)),
        "push-throughput": Chart(
            "Servers and broker on one core", "sockets", "frames a second", over(results, "flat", a_second, 1)
        ),
        "push-latency": Chart("From publishing to the frame", "frames a second", "milliseconds", climbed(results)),
    }


def over(results: Results, what: What, of: Figure, devices: int) -> dict[str, Points]:
    """A line for each contender over the number of sockets."""
    return {
        name: [
            (sockets, found.median)
            for sockets in sorted({row.sockets for row in results.rows})
            if (found := spread(results, name, what, of, (devices, sockets))) is not None
        ]
        for name in results.what
    }


def climbed(results: Results) -> dict[str, Points]:
    """Two lines for each contender over the rate, as far as it keeps up."""
    return {
        f"{name} ({which})": [
            (rate, found.median)
            for rate in rates(results)
            if (found := latency(results, name, rate, which)) is not None
        ]
        for name in results.what
        for which in ("p99", "p50")
    }
