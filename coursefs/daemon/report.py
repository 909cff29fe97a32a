"""How a mount is doing, as `coursefs status --json` says it; every field is described in docs/status.md."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import trio

from coursefs.content import Fetching
from coursefs.content.lanes import Priority
from coursefs.credentials import expiry
from coursefs.errors import Gone, NotSignedIn
from coursefs.library import AccountSource, Library, Node
from coursefs.providers.base import HasRoutes

_WORDS = {Priority.READ: "read", Priority.AHEAD: "ahead", Priority.BACKGROUND: "background"}


def library_report(library: Library, carried: Mapping[str, Node] | None = None) -> dict[str, Any]:
    """What a library holds, does, and complains of; `carried`: files that commands carry now, by their paths."""
    files, size = library.totals()
    use = library.use()
    activity = library.activity
    fetching = library.contents.fetching()
    reading = [(one, library.node(one.inode)) for one in activity.readings]
    paths = {
        (node.place.account, node.identity): path
        for path, node in (*(carried or {}).items(), *((one.path, node) for one, node in reading))
    }
    now = trio.current_time()
    return {
        "accounts": [_account(library, one) for one in library.settings.accounts],
        "catalogue": {"entries": files, "bytes": size},
        "fill": asdict(library.fill.progress),
        "cache": {"directory": str(use.directory), "bytes": use.bytes, "files": use.files, "max_size": use.max_size},
        "reads": {"answered": activity.reads, "bytes": activity.bytes, "failed": activity.failures},
        "network": {"received": library.traffic.meter.total, "rate": library.traffic.meter.rate(now)},
        "reading": [
            {
                "path": one.path,
                "offset": one.offset,
                "size": node.size or 0,
                "cached": _cached(library, node),
            }
            for one, node in reading
        ],
        "fetching": [_fetching(one, paths.get((one.key.account, one.key.identity))) for one in fetching if one.runs],
        "queue": _queue(fetching),
        "hosts": [{"host": host, **asdict(counts)} for host, counts in sorted(library.traffic.hosts.items())],
        "errors": [asdict(one) for one in activity.troubles],
    }


def _account(library: Library, account: AccountSource) -> dict[str, Any]:
    trouble = library.tree.renewal.trouble(account.name)
    provider = library.providers[account.name]
    expires = expiry(account.secrets)
    has_ended = isinstance(trouble, NotSignedIn) or (expires is not None and expires <= time.time())
    return {
        "name": account.name,
        "provider": account.provider,
        "server": account.settings.get("base_url") or account.settings.get("server"),
        "courses": sum(library.choosing.shows(account.name, course) for course in library.courses(account.name)),
        "signed_in": bool(account.secrets) and not has_ended,
        "expires": expires,
        "trouble": None if trouble is None else str(trouble),
        "routes": [asdict(route) for route in (provider.routes() if isinstance(provider, HasRoutes) else ())],
    }


def _cached(library: Library, node: Node) -> int:
    """Bytes of a file that are kept; 0 where its course is no longer there, which an open file may outlive."""
    try:
        return library.cached_bytes(node)
    except Gone:
        return 0


def _fetching(one: Fetching, path: str | None) -> dict[str, Any]:
    return {
        "account": one.key.account,
        "content": one.key.identity,
        "path": path,
        "start": one.start,
        "received": one.received,
        "end": one.end,
        "size": one.size,
        "priority": _WORDS[one.priority],
    }


def _queue(fetching: Sequence[Fetching]) -> dict[str, int]:
    waiting = Counter(_WORDS[one.priority] for one in fetching if not one.runs)
    return {word: waiting[word] for word in _WORDS.values()}
