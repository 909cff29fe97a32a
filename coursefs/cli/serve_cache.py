"""`coursefs serve-cache`."""

from __future__ import annotations

import importlib.util
import signal
import socket
import ssl
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from coursefs.cli import output
from coursefs.cli.output import Globals, pass_globals
from coursefs.errors import CoursefsError, UsageError

if TYPE_CHECKING:
    from coursefs.shared.keys import SharedKey

_PORT = 8765


@click.command("serve-cache")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option(
    "--listen", metavar="ADDRESS:PORT", default=f"127.0.0.1:{_PORT}", show_default=True, help="0.0.0.0: all networks."
)
@click.option("--tls-cert", type=click.Path(path_type=Path, exists=True), help="A certificate with its chain (PEM).")
@click.option("--tls-key", type=click.Path(path_type=Path, exists=True), help="Its private key (PEM).")
@click.option("--announce", is_flag=True, help="Announce it on the local network (DNS-SD).")
@pass_globals
def serve_cache(
    options: Globals, folder: Path | None, listen: str, tls_cert: Path | None, tls_key: Path | None, announce: bool
) -> None:
    """Serve the pieces in a folder to other machines, which also put pieces there; until it is ended (Ctrl-C).

    The folder is that of cache.shared in the settings, or FOLDER. The other machines need a key file with the same
    token, and cache.shared = "http://this-machine:8765". To another machine without TLS goes only what
    cache.shared_plain_http = true allows, on both machines.

    \b
    Example: coursefs serve-cache --listen 0.0.0.0:8765
    """
    if not all(map(importlib.util.find_spec, ("hypercorn", "starlette"))):
        raise UsageError("serve-cache needs a web server: type pip install 'coursefs[open]'")
    import trio

    from coursefs.settings.config import load
    from coursefs.shared.keys import load_key
    from coursefs.transport.hosts import is_loopback

    app_paths = options.app_paths()
    settings = load(app_paths.config_file).cache
    key = load_key(app_paths.shared_key(settings.shared_key))
    place = _folder(folder, settings.shared)
    if (tls_cert is None) != (tls_key is None):
        raise UsageError("--tls-cert and --tls-key belong together")
    if announce and tls_cert is not None:
        raise UsageError("--announce goes without TLS: others find an address, and no name that a certificate is for")
    if tls_cert is not None and tls_key is not None:
        _require_certificate(tls_cert, tls_key)
    with _bound(listen) as bound:
        host, port = bound.getsockname()[:2]
        if tls_cert is None and not is_loopback(host) and not settings.shared_plain_http:
            raise UsageError(
                f"--listen {listen} is for other machines, and there is no TLS: give --tls-cert and --tls-key, or, on a"
                " local network that you trust, set cache.shared_plain_http = true"
            )
        scheme = "http" if tls_cert is None else "https"
        shown = f"[{host}]" if ":" in host else host
        with _announced(host, port) if announce else nullcontext():
            click.echo(output.clean(f"serving {place} at {scheme}://{shown}:{port}"), err=True)
            trio.run(_serve, place, settings.min_free, key, bound, tls_cert, tls_key)


def _require_certificate(cert: Path, key: Path) -> None:
    """Raises `UsageError` unless the files hold a certificate and its private key."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password="")  # it would be asked for
    except ssl.SSLError:
        raise UsageError(f"--tls-cert {cert} is no certificate (PEM), or --tls-key {key} is not its key") from None
    except OSError as error:
        raise CoursefsError(f"--tls-cert {cert}: {error.strerror}") from None


def _announced(host: str, port: int) -> AbstractContextManager[None]:
    from coursefs.shared.discovery import announced

    return announced(host, port)


def _folder(given: Path | None, shared: str | None) -> Path:
    if given is None and not (shared or "").startswith("/"):
        raise UsageError("name the folder to serve: coursefs serve-cache /srv/shared")
    place = (given or Path(shared or "")).absolute()
    if not place.is_dir():
        raise UsageError(f"{place} is no folder; create it first: mkdir {place}")
    return place


def _bound(listen: str) -> socket.socket:
    """A socket on this address.  Raises `CoursefsError`."""
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise UsageError(f"--listen {listen}: expected an address and a port, such as 0.0.0.0:{_PORT}")
    host = host.strip("[]") or "0.0.0.0"  # noqa: S104  # as it was asked for
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
            bound.listen(128)
        except OSError:
            bound.close()
            raise
    except OSError as error:
        raise CoursefsError(f"--listen {listen}: {error.strerror}") from None
    return bound


async def _serve(
    folder: Path, min_free: int, key: SharedKey, bound: socket.socket, tls_cert: Path | None, tls_key: Path | None
) -> None:
    """Answer requests until SIGINT or SIGTERM."""
    import trio
    from hypercorn.trio import serve

    from coursefs.shared.folder import FolderTier
    from coursefs.shared.web_server import application, config

    settings = config(bound)
    settings.certfile = None if tls_cert is None else str(tls_cert)
    settings.keyfile = None if tls_key is None else str(tls_key)
    app: Any = application(FolderTier(folder, min_free=min_free), key)
    ended = trio.Event()
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:

            async def listen() -> None:
                async for _ in signals:
                    ended.set()

            nursery.start_soon(listen)
            await serve(app, settings, shutdown_trigger=ended.wait)
            nursery.cancel_scope.cancel()
