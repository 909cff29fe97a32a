"""The pool of idle connections: few for each host, and none for long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from coursefs.transport.connection import Connection, HostPort

#: idle connections that are kept, for all hosts together
MOST = 40
#: seconds that the most recently used `_FEW` idle connections of a host are kept, and its others: those were for many
#: requests at once, and the next ones follow soon or not at all.  Many servers hang up after a minute or less.
LIFE, _SHORT_LIFE = 30.0, 5.0
_FEW = 4


class IdlePool:
    """Idle connections for later requests.  Times are on trio's clock."""

    def __init__(self) -> None:
        self.connections: list[Connection] = []  # the most recently used one last

    def add(self, connection: Connection, now: float) -> None:
        """Keep a connection; closes the one that was idle for longest when there are too many."""
        connection.idle_since = now
        self.connections.append(connection)
        if len(self.connections) > MOST:
            self.connections.pop(0).close()

    def take(self, origin: HostPort, now: float) -> Connection | None:
        """A connection to this host that is still open; the caller owns it."""
        self.close_due(now)
        # The most recently used first, which the server is least likely to have closed.
        for connection in reversed(self.connections.copy()):
            if connection.origin == origin:
                self.connections.remove(connection)
                if not connection.was_closed():
                    return connection
                connection.close()
        return None

    def count(self, origin: HostPort) -> int:
        """How many connections to this host are idle."""
        return sum(connection.origin == origin for connection in self.connections)

    def next_due(self) -> float | None:
        """When the next connection has been idle for long enough; None: there is none."""
        return min((at for _, at in _ends(self.connections)), default=None)

    def close_due(self, now: float) -> None:
        """Close the connections that have been idle for long enough."""
        self._close([connection for connection, at in _ends(self.connections) if at <= now])

    def close_all(self, origin: HostPort | None = None) -> None:
        """Close all idle connections, or those to one host."""
        self._close([connection for connection in self.connections if origin in {None, connection.origin}])

    def _close(self, some: Iterable[Connection]) -> None:
        for connection in some:
            self.connections.remove(connection)
            connection.close()


def _ends(connections: list[Connection]) -> Iterable[tuple[Connection, float]]:
    """Each idle connection with the time at which it is closed (pure)."""
    seen: Counter[HostPort] = Counter()
    for connection in reversed(connections):
        seen[connection.origin] += 1
        life = LIFE if seen[connection.origin] <= _FEW else _SHORT_LIFE
        yield connection, connection.idle_since + life
