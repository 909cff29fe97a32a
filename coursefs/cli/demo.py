"""`coursefs demo`: try it without an account."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from coursefs.cli import output
from coursefs.cli.mount import global_options, in_background, start_log
from coursefs.cli.output import Globals, pass_globals
from coursefs.settings.paths import AppPaths, socket_dirs

_DEFAULT = Path("~/courses")


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
