"""`coursefs demo`: try it without an account; and `coursefs --demo COMMAND`, to practise on the sample courses.

For such a command the sample platforms run as long as it does, on ports of their own. Settings, sign-ins, catalogue and
cache are those of the demo, so nothing of the user's own is read or changed.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from coursefs.cli import output
from coursefs.cli.mount import global_options, in_background, start_log
from coursefs.cli.output import Globals, own_paths, pass_globals
from coursefs.settings.paths import AppPaths, socket_dirs

_DEFAULT = Path("~/courses")
_MEMO = "coursefs.cli.demo"


@click.command()
@click.argument("mountpoint", type=click.Path(path_type=Path), required=False)
@click.option("--background", is_flag=True, help="Return when the mount answers.")
@pass_globals
def demo(options: Globals, mountpoint: Path | None, background: bool) -> None:
    """Try it without an account: sample courses from sample platforms on this machine.

    They are shown at MOUNTPOINT (default: ~/courses).  Your own accounts, catalogue and cache are not touched.

    \b
    Example: coursefs demo
    """
    from coursefs.daemon.demo_process import require_demo  # slow to import
    from coursefs.mount import mountinfo
    from coursefs.mount.mountpoint import made, prepare, require_fuse

    require_demo()
    app_paths = options.app_paths("demo")  # first: it checks the folders before anything is created
    require_fuse()
    with made(mountpoint or mountinfo.absolute(_DEFAULT)) as wanted:
        path = prepare(wanted)
        if background:
            in_background([*global_options(options), "demo", "--", str(path)], app_paths.log_dir / "mount.log", path)
        else:
            _serve(options, app_paths, path)


def _serve(options: Globals, app_paths: AppPaths, mountpoint: Path) -> None:
    """Mount the sample courses until Ctrl-C."""
    from coursefs.mount.mountpoint import require_binding

    require_binding()
    from coursefs.daemon.demo_process import demo_accounts
    from coursefs.daemon.readiness import Readiness
    from coursefs.daemon.serve import DaemonOptions, run
    from coursefs.daemon.setup import library_settings
    from coursefs.mount.options import MountOptions
    from coursefs.settings.config import Settings

    readiness = Readiness()
    start_log(options, readiness.is_background)
    with demo_accounts() as accounts:
        library = replace(library_settings(Settings(), app_paths), accounts=accounts)
        if not readiness.is_background:
            output.message(f"sample courses at {mountpoint}; press Ctrl-C to unmount")
        run(DaemonOptions(library, mountpoint, MountOptions(), socket_dirs(), is_demo=True), readiness)


def demo_paths() -> AppPaths:
    """The paths of the demo, with settings and sign-ins for sample platforms that run until the command ends.

    Raises `CoursefsError` if the platforms are not installed, or do not start.
    """
    from coursefs.daemon.demo_process import demo_accounts, require_demo  # slow to import
    from coursefs.settings.config import add_account
    from coursefs.settings.credentials import Credentials

    context = click.get_current_context().find_root()
    paths = own_paths(None, "demo")
    if _MEMO not in context.meta:
        require_demo()
        accounts = context.with_resource(demo_accounts())
        credentials = Credentials(paths)
        for one in accounts:
            values = {"provider": one.provider, "folder": one.folder or "", **one.settings}
            add_account(paths.config_file, one.name, values)
            credentials.save(one.name, one.secrets)
        context.meta[_MEMO] = True
    return paths
