"""The table of what the hostile server does wrong: each fault is a small function with a line that says what it is.

A fault answers one exchange and returns whether the connection goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torture_runs import golden
from torture_runs.server import Exchange, Part, Request, part_of

Answer = Callable[[Exchange], bool]


@dataclass(frozen=True, slots=True)
class Fault:
    """A way to answer."""

    name: str
    says: str
    answer: Answer
    concerns: Callable[[Request], bool]


def is_file(request: Request) -> bool:
    """Whether it asks for bytes of a file."""
    return request.path.startswith("/f/") and request.path[3:].isdecimal() and int(request.path[3:]) in golden.SIZES


def is_url(request: Request) -> bool:
    """Whether it asks for an address."""
    return request.path.startswith("/url/")


FAULTS: dict[str, Fault] = {}
CONNECTION: dict[str, Callable[[Exchange], None]] = {}
SAYS: dict[str, str] = {}


def fault(name: str, says: str, concerns: Callable[[Request], bool] = is_file) -> Callable[[Answer], Answer]:
    """Put a function into the table."""

    def put(answer: Answer) -> Answer:
        FAULTS[name] = Fault(name, says, answer, concerns)
        SAYS[name] = says
        return answer

    return put


def part(exchange: Exchange) -> Part:
    """What is asked for; the last byte where nothing is."""
    found = part_of(exchange.request, exchange.state.counters)
    if found is None:
        file = int(exchange.request.path[3:])
        version = exchange.state.counters.version(file)
        size = golden.size_of(file, version)
        return Part(file, version, size, size - 1, size, is_range=True)
    return found


def connection_fault(name: str, says: str) -> Callable[[Callable[[Exchange], None]], Callable[[Exchange], None]]:
    def put(answer: Callable[[Exchange], None]) -> Callable[[Exchange], None]:
        CONNECTION[name] = answer
        SAYS[name] = says
        return answer

    return put
