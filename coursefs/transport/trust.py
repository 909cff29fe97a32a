"""Certificate authorities for TLS: those of the system, as in curl, or those that the environment names.

A campus whose servers have certificates of its own authority installs that authority in the system's store.  The store
is searched where OpenSSL was built to look, then where distributions have it, because a Python that is not the
distribution's looks elsewhere.  Only a machine without any store gets certifi's.

`truststore` has the same list for Linux, but reads the store for each connection, which blocks the event loop for
40 ms; here it is read once, in a thread.
"""

from __future__ import annotations

import os
import ssl
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import certifi
import trio

from coursefs.base import threads

#: variables that name a file or a folder of authorities, the first usable one counts
_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE")
#: the stores of Fedora, RHEL, Arch, Alpine and openSUSE, of Debian, and of older ones
_STORES = (
    "/etc/ssl/cert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/cert.pem",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/ca-bundle.pem",
)
_KEY_LOG = "SSLKEYLOGFILE"


@dataclass(frozen=True, slots=True)
class Trust:
    """The TLS settings for every connection of a process."""

    context: ssl.SSLContext
    source: str  # for a person: the path of the authorities, with the variable that names it
    passed_over: tuple[str, ...] = ()  # for a person: a line for each variable that is ignored


class Authorities:
    """The TLS settings of a process, whose authorities a thread reads for the first connection."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = dict(environ)
        self._reading = trio.Lock()
        self._trust: Trust | None = None

    async def context(self) -> ssl.SSLContext:
        """The settings for a connection."""
        return (await self.trust()).context

    async def trust(self) -> Trust:
        """See `trust_from`; cancelled, it waits for the thread."""
        async with self._reading:
            if self._trust is None:
                try:
                    self._trust = await threads.run_sync(lambda: trust_from(self._environ))
                except threads.NoThread:
                    self._trust = trust_from(self._environ)
        return self._trust


def trust_from(environ: Mapping[str, str]) -> Trust:
    """The settings by these variables and the system.  Reads files, for about 50 ms; never raises for a variable."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    troubles: list[str] = []
    source = _named(context, environ, troubles) or _of_system(context)
    _log_keys(context, environ.get(_KEY_LOG, ""), troubles)
    return Trust(context, source, tuple(troubles))


def _named(context: ssl.SSLContext, environ: Mapping[str, str], troubles: list[str]) -> str | None:
    """Load the authorities of the first usable variable; returns their place, None where there is none."""
    for variable in _VARIABLES:
        value = environ.get(variable, "")
        loaded = []
        for place in value.split(":") if variable.endswith("DIR") else [value]:
            if place:
                with suppress(OSError, ValueError):  # ssl.SSLError is an OSError
                    _load(context, Path(place))
                    loaded.append(place)
        if loaded:
            return f"{':'.join(loaded)} ({variable})"
        if value:
            troubles.append(f"{variable}: no certificates can be read there; it is ignored")
    return None


def _load(context: ssl.SSLContext, place: Path) -> None:
    """Load the authorities in a file, or in a folder made by `c_rehash`.  Raises `OSError` when there are none."""
    if place.is_dir():
        if not any(entry.name[-2:-1] == "." for entry in place.iterdir()):  # 5ed36f99.0
            raise FileNotFoundError(place)
        context.load_verify_locations(capath=place)
    elif stat.S_ISREG(place.stat().st_mode):  # a FIFO would block
        context.load_verify_locations(cafile=place)
    else:
        raise FileNotFoundError(place)


def _of_system(context: ssl.SSLContext) -> str:
    paths = ssl.get_default_verify_paths()
    for place in (paths.openssl_cafile, *_STORES, paths.openssl_capath, certifi.where()):
        with suppress(OSError):
            if place:
                _load(context, Path(place))
                return place
    return "none"


def _log_keys(context: ssl.SSLContext, path: str, troubles: list[str]) -> None:
    """Log TLS session keys to the file in SSLKEYLOGFILE, as browsers do.  Opened first without blocking on a FIFO."""
    if not path:
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
        os.close(descriptor)
        context.keylog_filename = path
    except (OSError, ValueError):
        troubles.append(f"{_KEY_LOG}: cannot be written to; it is ignored")
