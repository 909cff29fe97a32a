"""`coursefs --demo COMMAND`: a command for the sample courses of `coursefs demo`, to practise on.

The sample platforms run as long as the command does, on ports of their own. Settings, sign-ins, catalogue and cache are
those of the demo, so nothing of the user's own is read or changed.
"""

from __future__ import annotations

import click

from coursefs.cli.output import own_paths
from coursefs.settings.paths import AppPaths

_MEMO = "coursefs.cli.practice"
#: commands that make no sense for the sample courses: they have no sign-in, and are mounted by `coursefs demo`
NOT_FOR_DEMO = frozenset({"mount", "demo", "login", "logout", "service"})


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
