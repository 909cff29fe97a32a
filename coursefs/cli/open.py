"""`coursefs open`: a course page, or anything else of a mount, in the browser."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping

import click

from coursefs.cli import completion, output
from coursefs.cli.located import located
from coursefs.cli.output import Globals, pass_globals
from coursefs.errors import CoursefsError


@click.command("open")
@click.argument("target", required=False, metavar="[COURSE | PATH]", shell_complete=completion.targets)
@click.option("--print", "only_print", is_flag=True, help="Print the address only; it works once.")
@pass_globals
def open_page(options: Globals, target: str | None, only_print: bool) -> None:
    """Open the page of a course, or another file or folder of the mount, in the browser; else the overview.

    The browser reads from a small web server of the mount, for this machine alone.  So it also works in browsers that
    may not read the files beside a page.  The address works once; where there is no browser, it is printed.

    \b
    Example: coursefs open sound-and-hearing
    """
    found = located([] if target is None else [target], demo=options.demo)
    if found is None:
        raise CoursefsError("to open pages the courses must be mounted: coursefs mount ~/courses")
    urls: list[str] = []
    found.ask("open", lambda reply: urls.append(reply["url"]))
    opener = None if only_print else opener_for(os.environ, shutil.which)
    for url in urls:
        if opener is None or not _started([opener, url]):
            click.echo(output.clean(url))


def opener_for(environment: Mapping[str, str], which: Callable[[str], str | None]) -> str | None:
    """The program that opens a URL in the browser (pure); None: there is none, or no display.  `which` finds one."""
    has_display = bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))
    return which("xdg-open") if has_display else None


def _started(command: list[str]) -> bool:
    """Start a program that goes on after this command; whether it could be started."""
    nowhere = subprocess.DEVNULL
    try:
        subprocess.Popen(command, stdin=nowhere, stdout=nowhere, stderr=nowhere, start_new_session=True)  # noqa: S603  # a list, and a URL of ours
    except OSError:
        return False
    return True
