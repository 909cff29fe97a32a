"""The command line: which commands there are, and how each of them ends.

A command is imported when it is called, so that `coursefs --help` and every short command start at once.  A command
returns None (exit status 0) or an exit status, or raises; what it raises becomes one line on standard error here.
"""

from __future__ import annotations

import io
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import click

from coursefs import __version__, defects
from coursefs.cli import output
from coursefs.cli.lazy import Entry, LazyGroup
from coursefs.cli.options import Globals

log = logging.getLogger(__name__)

#: the first field of a line of fstab, and so the first argument when mount.fuse(8) calls `coursefs`; no command's name
_SOURCE = "coursefs"
_INTERRUPTED = 130  # 128 + SIGINT, as shells say it


COMMANDS = {
    "mount": Entry("coursefs.cli.mount:mount", "Show your courses as a folder."),
    "umount": Entry("coursefs.cli.mount:umount", "Take the folder away again."),
    "demo": Entry("coursefs.cli.demo:demo", "Try it without an account, on sample courses."),
    "login": Entry("coursefs.cli.login:login", "Sign in to a platform."),
    "logout": Entry("coursefs.cli.accounts:logout", "Forget an account and its sign-in."),
    "accounts": Entry("coursefs.cli.accounts:accounts", "List the accounts."),
    "courses": Entry("coursefs.cli.courses:courses", "List the courses and choose what the mount shows."),
    "update": Entry("coursefs.cli.update:update", "Ask now for what is new."),
    "fetch": Entry("coursefs.cli.fetch:fetch", "Bring contents into the cache, to have them without a network."),
    "pin": Entry("coursefs.cli.pin:pin", "Keep files in the cache, whatever else comes."),
    "unpin": Entry("coursefs.cli.pin:unpin", "Let files leave the cache again."),
    "download": Entry("coursefs.cli.download:download", "Make plain copies of your courses in another folder."),
    "cache": Entry("coursefs.cli.cache:cache", "Look after the contents that are kept on this disk."),
    "status": Entry("coursefs.cli.status:status", "Say how a mount is doing."),
    "service": Entry("coursefs.cli.service:service", "Have systemd mount at every login."),
    "doctor": Entry("coursefs.cli.doctor:doctor", "Look for what keeps it from working here."),
    "completion": Entry("coursefs.cli.completion:completion", "Print what a shell needs to complete commands."),
}


@click.command(
    cls=LazyGroup,
    entries=COMMANDS,
    invoke_without_command=True,
    subcommand_metavar="COMMAND [ARGS]...",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="coursefs", message="%(prog)s %(version)s")
@click.option("-v", "--verbose", is_flag=True, help="Say what is being done.")
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="COURSEFS_CONFIG",
    show_envvar=True,
    help="Settings file.",
)
@click.pass_context
def cli(ctx: click.Context, verbose: bool, config: Path | None) -> None:
    """Your courses are a folder.

    \b
    Example: coursefs demo
    """
    ctx.obj = Globals(config, verbose)
    _log_to_stderr(verbose)
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), err=True)
        ctx.exit(2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command (of `sys.argv` by default) and give the exit status of the process."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == [_SOURCE]:
        from coursefs.cli.helper import helper  # noqa: PLC0415  # seldom needed

        return run(helper, given)
    return run(cli, given)


def run(command: click.Command, arguments: Sequence[str]) -> int:
    """Run a command to its end and give the exit status of the process; what is wrong is one line on stderr."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="replace")  # a title in a terminal that lacks its letters
    try:
        status = command.main(arguments, prog_name="coursefs", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        # the reader has had enough (`coursefs accounts | head -1`); the interpreter's last flush must not meet it again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (Exception, KeyboardInterrupt, BaseExceptionGroup) as error:
        return _failed(error)
    return status if isinstance(status, int) else 0


def _failed(error: BaseException) -> int:
    """Say why, in one line, and give the exit status."""
    if any(isinstance(cause, KeyboardInterrupt | click.Abort) for cause in defects.causes(error)):
        return _INTERRUPTED
    if isinstance(error, click.ClickException):
        output.error(_usage(error))
        return error.exit_code
    told = defects.told(error)
    output.error(str(told))
    if isinstance(told, defects.Defect):
        log.debug("%s", "".join(traceback.format_exception(error)))
    return told.exit_status


def _usage(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    return error.format_message() + (f" (see {context.command_path} --help)" if context else "")


def _log_to_stderr(verbose: bool) -> None:
    """What coursefs logs goes to standard error: warnings, or everything with -v.  Other libraries are left alone."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("coursefs: %(message)s"))
    logger = logging.getLogger("coursefs")
    logger.handlers = [handler]
    logger.setLevel(logging.DEBUG if verbose else logging.WARNING)
