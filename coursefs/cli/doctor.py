"""`coursefs doctor`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from coursefs.cli import output
from coursefs.cli.options import Globals, pass_globals
from coursefs.errors import CoursefsError, NotSignedIn, UsageError

if TYPE_CHECKING:
    from coursefs.doctor.finding import Finding
    from coursefs.places import Places

_MARKS = {"ok": "ok", "note": "note", "sign-in": "SIGN IN", "problem": "PROBLEM"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@pass_globals
def doctor(options: Globals, as_json: bool) -> int:
    """Look for what keeps coursefs from working here, and say what to type against it.

    Checked are FUSE, the places on disk, the settings, the mounts that are there and what they have met, the clock, and
    each account on its platform.  Ends with status 1 when there is a problem, with 3 when an account has to be signed
    in again and nothing else is wrong.

    \b
    Example: coursefs doctor
    """
    from coursefs.doctor.finding import exit_status  # noqa: PLC0415  # slow to import

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
    import trio  # noqa: PLC0415

    from coursefs.config import Settings, load  # noqa: PLC0415
    from coursefs.daemon.setup import library_settings  # noqa: PLC0415
    from coursefs.doctor.disk import disk  # noqa: PLC0415
    from coursefs.doctor.finding import Finding, State  # noqa: PLC0415
    from coursefs.doctor.machine import machine  # noqa: PLC0415
    from coursefs.doctor.platforms import platforms  # noqa: PLC0415
    from coursefs.transport import Transport  # noqa: PLC0415

    yield from machine()
    places = options.places()
    try:
        settings = load(places.config_file)
        yield Finding("settings", State.OK, str(places.config_file))
    except UsageError as error:
        settings = Settings()
        yield Finding("settings", State.PROBLEM, str(error), f"${{EDITOR:-vi}} {places.config_file}")
    yield from disk(places, settings.cache.directory or places.cache_dir, settings.cache.min_free)
    yield from _mounts(places)
    try:
        library = library_settings(settings, places)
    except CoursefsError as error:
        state = State.SIGN_IN if isinstance(error, NotSignedIn) else State.PROBLEM
        yield Finding("sign-ins", state, str(error), "coursefs login …")
        return
    if not library.accounts:
        yield Finding("accounts", State.NOTE, "there is none yet", "coursefs login coursera --cauth VALUE")

    async def ask() -> list[Finding]:
        async with Transport(read_timeout=min(settings.network.read_timeout, 20.0)) as transport:
            return await platforms(library.accounts, library.wanted, transport)

    yield from trio.run(ask)


def _mounts(places: Places) -> Iterator[Finding]:
    """What the mounts of this user say; those of others are theirs."""
    from coursefs.daemon import socket  # noqa: PLC0415
    from coursefs.doctor import mounts  # noqa: PLC0415
    from coursefs.mount import mountinfo  # noqa: PLC0415
    from coursefs.mount.mountpoint import Life, life  # noqa: PLC0415

    for path in [one.mountpoint for one in mountinfo.mounted() if one.is_coursefs]:
        try:
            status = socket.status(socket.path_for(places.runtime_dir, path))
        except CoursefsError:
            yield mounts.is_silent(path)
            continue
        if status is not None:
            yield from mounts.answers(status)
        elif life(path) is Life.GONE:
            yield mounts.is_dead(path)
