"""`coursefs doctor`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from coursefs.cli import output
from coursefs.cli.output import Globals, pass_globals
from coursefs.errors import CoursefsError, NotSignedIn, UsageError
from coursefs.settings.paths import session_folder, socket_dirs

if TYPE_CHECKING:
    from coursefs.doctor.finding import Finding

_MARKS = {"ok": "ok", "note": "note", "sign-in": "SIGN IN", "problem": "PROBLEM"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@pass_globals
def doctor(options: Globals, as_json: bool) -> int:
    """Check what prevents coursefs from working here, and show the commands that fix it.

    Checks FUSE, the folders on disk, the settings, proxies and certificate authorities, the running mounts, the clock,
    and each account on its platform.  Ends with status 1 if there is a problem, and with 3 if the only problem is an
    account that needs a new sign-in.

    \b
    Example: coursefs doctor
    """
    from coursefs.doctor.finding import exit_status  # slow to import

    findings = list(_findings(options))
    if as_json:
        status = exit_status(findings)
        output.show_json({"ok": status == 0, "checks": [finding.record() for finding in findings]})
        return status
    for finding in findings:
        click.echo(output.clean(f"{_MARKS[finding.state]:<8} {finding.check}: {finding.message}"))
        if finding.advice is not None:
            click.echo(output.clean(f"         -> {finding.advice}"))
    return exit_status(findings)


def _findings(options: Globals) -> Iterator[Finding]:
    import trio

    from coursefs.daemon.setup import library_settings
    from coursefs.doctor.disk import disk
    from coursefs.doctor.finding import Finding, Severity
    from coursefs.doctor.machine import (
        environment,
        machine,
    )
    from coursefs.doctor.platforms import new_replies, platforms
    from coursefs.doctor.shared import shared_cache
    from coursefs.settings.config import Settings, load
    from coursefs.transport import Transport
    from coursefs.transport.proxies import proxies_from
    from coursefs.transport.trust import trust_from

    yield from machine()
    app_paths = options.app_paths()
    is_read = True
    try:
        settings = load(app_paths.config_file)
        yield Finding("settings", Severity.OK, str(app_paths.config_file))
    except UsageError as error:
        settings, is_read = Settings(), False
        yield Finding("settings", Severity.PROBLEM, str(error), f"${{EDITOR:-vi}} {app_paths.config_file}")
    yield from disk(app_paths, settings.cache.directory or app_paths.cache_dir, settings.cache.min_free)
    shared = shared_cache(settings.cache, app_paths.shared_key(settings.cache.shared_key))
    yield from [] if shared is None else [shared]
    yield from environment(proxies_from(os.environ), trust_from(os.environ))
    _, trouble = session_folder()
    if trouble is not None:
        message = f"{trouble}: control sockets are in the state folder only"
        yield Finding(
            "session folder",
            Severity.NOTE,
            message,
            "unset XDG_RUNTIME_DIR   # or name a folder of your own, mode 0700",
        )
    yield from _mounts()
    try:
        library = library_settings(settings, app_paths)
    except CoursefsError as error:
        state = Severity.SIGN_IN if isinstance(error, NotSignedIn) else Severity.PROBLEM
        yield Finding("sign-ins", state, str(error), "coursefs login …")
        return
    if not is_read:
        return  # nothing is known of the accounts
    if not library.accounts:
        yield Finding("accounts", Severity.NOTE, "none yet", "coursefs login")

    async def ask() -> list[Finding]:
        async with Transport(read_timeout=min(settings.network.read_timeout, 20.0)) as transport:
            found = await platforms(library.accounts, library.wanted, transport)
            return [*found, *new_replies(transport.surprises.found)]

    yield from trio.run(ask)


def _mounts() -> Iterator[Finding]:
    """Findings about this user's mounts."""
    from coursefs.daemon import socket
    from coursefs.doctor.platforms import is_dead, is_silent, mount_answers
    from coursefs.mount import mountinfo
    from coursefs.mount.mountpoint import Life, life

    for path in [one.mountpoint for one in mountinfo.mounted() if one.is_coursefs]:
        control = socket.find(socket_dirs(), path)
        try:
            status = None if control is None else socket.status(control)
        except CoursefsError:
            yield is_silent(path)
            continue
        if status is not None:
            yield from mount_answers(status)
        elif life(path) is Life.GONE:
            yield is_dead(path)
