"""`coursefs login`: sign in to a platform."""

from __future__ import annotations

import click

from coursefs.cli.lazy import Entry, LazyGroup

PLATFORMS = {
    "coursera": Entry("coursefs.cli.login_coursera:coursera", "Sign in to Coursera with the cookie of a browser."),
    "panopto": Entry("coursefs.cli.login_panopto:panopto", "Sign in to a Panopto server, in your browser."),
    "openedx": Entry("coursefs.cli.login_openedx:openedx", "Sign in to a school's Open edX."),
}


@click.command(cls=LazyGroup, entries=PLATFORMS, no_args_is_help=False)
def login() -> None:
    """Sign in to a platform.

    \b
    Example: coursefs login coursera --cauth -
    """
