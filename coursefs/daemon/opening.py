"""The command of the control socket that gives a browser a way to the mount: the web server is started at the first."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, Any

from coursefs.base.installation import command_for
from coursefs.bulk.targets import resolve
from coursefs.daemon.socket import Reply
from coursefs.daemon.transfers import targets_of
from coursefs.errors import CoursefsError, UsageError
from coursefs.library import Library

if TYPE_CHECKING:
    from coursefs.daemon.web_server import WebServer


class Opening:
    """Makes URLs of the files of a library, on a web server that ends with the library."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._server: WebServer | None = None

    async def command(self, wanted: Mapping[str, Any]) -> AsyncGenerator[Reply, None]:
        """The URL of the one target, or of the overview; it works once."""
        files = self._library.files
        nodes = await resolve(files, self._library.courses, targets_of(wanted))
        if len(nodes) != 1:
            raise UsageError(f"{len(nodes)} files or folders fit; open one of them")
        path = files.path(nodes[0])
        yield {"url": self._running().url_of(path.split("/") if path else ())}

    def _running(self) -> WebServer:
        """The web server, started if it is not running.  Raises `CoursefsError`."""
        if self._server is None:
            try:
                from coursefs.daemon.web_server import WebServer  # slow to import, and of an extra
            except ModuleNotFoundError as error:
                missing = str(error.name).partition(".")[0]
                how = command_for(missing, f"python3-{missing}")
                raise CoursefsError(f"the package {missing} is missing; to add it: {how}") from None
            try:
                server = WebServer(self._library)
            except OSError as error:
                raise CoursefsError(f"no port for the browser: {error.strerror}") from None
            self._server = server
            self._library.start(self._serve, name="pages for a browser")
        return self._server

    async def _serve(self) -> None:
        server = self._server
        assert server is not None
        try:
            await server.run()
        finally:
            self._server = None  # the next one starts another
