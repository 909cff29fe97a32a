"""The status of a mount as in `coursefs status --json`; docs/status.md describes every field."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from coursefs.errors import NotSignedIn
from coursefs.library import AccountStatus, Fetching, Library, Node, OpenFileStatus, Priority, SharedStatus
from coursefs.settings.account_keys import server_of
from coursefs.settings.credentials import expiry

_WORDS = {Priority.READ: "read", Priority.AHEAD: "ahead", Priority.BACKGROUND: "background"}


def library_report(library: Library, carried: Mapping[str, Node] | None = None) -> dict[str, Any]:
    """The state of a library, its activity and its problems; `carried`: files in transfer, by path."""
    status = library.status()
    cache = status.cache
    paths = {(node.place.account, node.identity): path for path, node in (carried or {}).items()}
    paths |= {(one.account, one.identity): one.path for one in status.open_files}
    running = [one for one in status.fetching if one.runs]
    return {
        "accounts": [_account(one) for one in status.accounts],
        "catalogue": {"entries": status.files, "bytes": status.bytes},
        "fill": asdict(status.indexing),
        "cache": {
            "directory": str(cache.directory),
            "bytes": cache.bytes,
            "files": cache.files,
            "max_size": cache.max_size,
        },
        "shared": _shared(status.shared),
        "reads": asdict(status.reads),
        "network": {"received": status.received, "rate": status.rate},
        "reading": [_open_file(one) for one in status.open_files],
        "fetching": [_fetching(one, paths.get((one.key.account, one.key.identity))) for one in running],
        "fetched_ahead": asdict(status.fetched_ahead),
        "queue": _queue(status.fetching),
        "hosts": [{"host": host, **asdict(counts)} for host, counts in sorted(status.hosts.items())],
        "surprises": [asdict(one) for one in status.surprises],
        "errors": [asdict(one) for one in status.troubles],
    }


def _shared(shared: SharedStatus | None) -> dict[str, Any] | None:
    if shared is None:
        return None
    return {"place": shared.place, "trouble": shared.trouble or None, **asdict(shared.use)}


def _account(account: AccountStatus) -> dict[str, Any]:
    source, trouble = account.source, account.trouble
    expires = expiry(source.secrets)
    if expires is not None and (account.listed_ns or 0) / 1e9 > expires:
        expires = None  # it was accepted after that: it has been renewed
    has_ended = isinstance(trouble, NotSignedIn) or (expires is not None and expires <= time.time())
    return {
        "name": source.name,
        "provider": source.provider,
        "server": server_of(source.settings),
        "courses": account.courses,
        "signed_in": bool(source.secrets) and not has_ended,
        "expires": expires,
        "trouble": None if trouble is None else str(trouble),
        "routes": [asdict(route) for route in account.routes],
    }


def _open_file(one: OpenFileStatus) -> dict[str, Any]:
    return {"path": one.path, "offset": one.offset, "size": one.size, "cached": one.cached}


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
