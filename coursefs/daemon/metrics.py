"""A mount's status as Prometheus metrics, in the text format 0.0.4 that prometheus-client writes (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from prometheus_client import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _Metric(NamedTuple):
    name: str
    kind: str
    help: str
    samples: Iterable[tuple[Mapping[str, str], float | None]]  # labels, value; None: unknown, left out


def text(status: Mapping[str, Any]) -> str:
    """The metrics of a status made by `coursefs.daemon.serve`.

    The first call imports prometheus-client, which takes a tenth of a second: call it in a thread.
    """
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry()
    registry.register(_Status(status))
    return generate_latest(registry).decode()


class _Status:
    """What prometheus-client calls a collector."""

    def __init__(self, status: Mapping[str, Any]) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        from prometheus_client import Metric

        for one in _metrics(self._status):
            samples = [(labels, value) for labels, value in one.samples if value is not None]
            if samples:
                metric = Metric(one.name.removesuffix("_total"), one.help, one.kind)
                for labels, value in samples:
                    metric.add_sample(one.name, dict(labels), value)
                yield metric


def _metrics(status: Mapping[str, Any]) -> Iterator[_Metric]:
    cache, reads, network, fill = status["cache"], status["reads"], status["network"], status["fill"]
    accounts = [({"account": one["name"], "provider": one["provider"]}, one) for one in status["accounts"]]
    hosts = [({"host": one["host"]}, one) for one in status["hosts"]]
    running = [one["priority"] for one in status["fetching"]]

    def single(name: str, kind: str, about: str, value: float) -> _Metric:
        return _Metric(f"coursefs_{name}", kind, about, [({}, value)])

    yield _Metric(
        "coursefs_info", "gauge", "The coursefs that serves the mount.", [({"version": status["version"]}, 1)]
    )
    yield single("start_time_seconds", "gauge", "When it was mounted, since 1970.", status["since"])
    yield single("offline", "gauge", "Whether the mount is offline.", status["offline"])
    yield single("open_files", "gauge", "Files that programs have open.", status["open_files"])
    yield single("reads_total", "counter", "Reads that were answered.", reads["answered"])
    yield single("read_failures_total", "counter", "Reads that failed.", reads["failed"])
    yield single("read_bytes_total", "counter", "Bytes that were given to programs.", reads["bytes"])
    yield single("received_bytes_total", "counter", "Bytes that came through the network.", network["received"])
    yield single("cache_bytes", "gauge", "Bytes in the content cache.", cache["bytes"])
    yield single("cache_files", "gauge", "Files of which something is in the cache.", cache["files"])
    yield single("cache_limit_bytes", "gauge", "The most bytes to keep in the cache.", cache["max_size"])
    yield single("catalogue_entries", "gauge", "Files and folders that are known.", status["catalogue"]["entries"])
    yield single("fill_known_folders", "gauge", "Folders that are known with all sizes.", fill["done"])
    yield single("fill_folders", "gauge", "Folders to index, as far as known.", fill["total"])
    yield _Metric(
        "coursefs_fetches",
        "gauge",
        "Requests for bytes that run or wait.",
        [
            ({"priority": word, "state": state}, count)
            for word, waiting in status["queue"].items()
            for state, count in (("running", running.count(word)), ("waiting", waiting))
        ],
    )
    for name, about, key in (
        ("account_courses", "Courses that are shown.", "courses"),
        ("account_signed_in", "Whether the sign-in is accepted, as far as is known.", "signed_in"),
        ("account_expires_seconds", "When the sign-in ends, since 1970, where that is known.", "expires"),
    ):
        yield _Metric(f"coursefs_{name}", "gauge", about, [(labels, one[key]) for labels, one in accounts])
    for name, kind, about, key in (
        ("requests_total", "counter", "Requests that were answered.", "requests"),
        (
            "request_failures_total",
            "counter",
            "Requests without an answer, or with a status of 500 and more.",
            "failures",
        ),
        ("requests_limited_total", "counter", "Requests that were answered with 429.", "limited"),
        ("requests_waiting", "gauge", "Requests that are queued.", "waiting"),
        ("host_received_bytes_total", "counter", "Bytes that came from a host.", "received"),
    ):
        yield _Metric(f"coursefs_{name}", kind, about, [(labels, one[key]) for labels, one in hosts])
