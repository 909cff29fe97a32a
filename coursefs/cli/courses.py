"""`coursefs courses`."""

from __future__ import annotations

import click

from coursefs.cli import output
from coursefs.cli.options import Globals, pass_globals


@click.group(no_args_is_help=False)
def courses() -> None:
    """List the courses that you are enrolled in.

    \b
    Example: coursefs courses list
    """


@courses.command("list")
@click.option("--all", "everything", is_flag=True, help="Also what is enrolled but not shown in the mount.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@pass_globals
def list_courses(options: Globals, everything: bool, as_json: bool) -> None:
    """List your courses, asked for now; without a network, as last seen.

    \b
    Example: coursefs courses list --json
    """
    import trio  # noqa: PLC0415  # slow to import

    from coursefs.config import load  # noqa: PLC0415
    from coursefs.daemon.setup import library_settings  # noqa: PLC0415
    from coursefs.library import require_accounts  # noqa: PLC0415
    from coursefs.listing import Listed, list_all  # noqa: PLC0415

    places = options.places()
    settings = library_settings(load(places.config_file), places)
    require_accounts(settings.accounts)
    rows, notes = trio.run(list_all, settings)
    for note in notes:
        output.message(f"coursefs: {note}")
    shown: list[Listed] = [row for row in rows if everything or not row.course.hidden]
    if as_json:
        output.show_json([row.record() for row in shown])
    else:
        output.table(
            [(row.directory or row.course.title, row.course.slug, row.course.key, row.account) for row in shown],
            ("course", "slug", "id", "account"),
        )
