"""The command line: the commands, and how they end.

A command is imported when it is called, so that `coursefs --help` and short commands start fast. A command returns None
(exit status 0) or an exit status, or raises; an exception becomes one line on standard error here.
"""

from __future__ import annotations

import gc
import io
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from coursefs import __version__
from coursefs.base import crash_messages
from coursefs.base.installation import installed_versions
from coursefs.base.logs import TerminalSafeFormatter
from coursefs.cli import output, streams
from coursefs.cli.lazy import LazyCommand, LazyGroup
from coursefs.cli.output import Globals
from coursefs.errors import UsageError
from coursefs.settings.paths import absolute, expanded

log = logging.getLogger(__name__)

#: first field of an fstab line, and so the first argument when mount.fuse(8) calls `coursefs`; not a command's name
_SOURCE = "coursefs"
#: commands that make a settings file that is missing
_MAKES_SETTINGS = frozenset({"login"})
#: commands that make no sense for the sample courses: they have no sign-in, and are mounted by `coursefs demo`
_NOT_FOR_DEMO = frozenset({"mount", "demo", "login", "logout", "service"})
#: new objects between two garbage collections: cycles are rare, imports and walks make hundreds of thousands of objects
_BEFORE_A_COLLECTION = 20_000
_INTERRUPTED = 130  # 128 + SIGINT, as shells say it


COMMANDS = {
    "mount": LazyCommand("coursefs.cli.mount:mount", "Show your courses as a folder."),
    "umount": LazyCommand("coursefs.cli.mount:umount", "Unmount the folder (also: unmount)."),
    "demo": LazyCommand("coursefs.cli.demo:demo", "Try it without an account, on sample courses."),
    "login": LazyCommand("coursefs.cli.login:login", "Sign in to a platform."),
    "logout": LazyCommand("coursefs.cli.accounts:logout", "Remove an account and its sign-in."),
    "accounts": LazyCommand("coursefs.cli.accounts:accounts", "List the accounts."),
    "courses": LazyCommand("coursefs.cli.courses:courses", "List the courses and select which ones the mount shows."),
    "ls": LazyCommand("coursefs.cli.known:list_known", "List a folder from the catalogue, without any request."),
    "tree": LazyCommand("coursefs.cli.known:tree", "Draw a folder from the catalogue."),
    "size": LazyCommand("coursefs.cli.known:size", "Count the files of a folder and sum up their sizes."),
    "search": LazyCommand("coursefs.cli.search:search", "Search titles, readings, transcripts and captions."),
    "open": LazyCommand("coursefs.cli.open:open_page", "Open a course page in the browser."),
    "update": LazyCommand("coursefs.cli.update:update", "Refresh the catalogue now."),
    "due": LazyCommand("coursefs.cli.due:due", "List what is due in your courses."),
    "fetch": LazyCommand("coursefs.cli.transfers:fetch", "Fetch contents into the cache, for use without a network."),
    "pin": LazyCommand("coursefs.cli.transfers:pin", "Pin files in the cache."),
    "unpin": LazyCommand("coursefs.cli.transfers:unpin", "Unpin files."),
    "download": LazyCommand("coursefs.cli.transfers:download", "Make plain copies of your courses in another folder."),
    "cache": LazyCommand("coursefs.cli.cache:cache", "Show, check or clear the cache."),
    "serve-cache": LazyCommand("coursefs.cli.serve_cache:serve_cache", "Serve a shared cache to other machines."),
    "status": LazyCommand("coursefs.cli.status:status", "Show the status of mounts."),
    "service": LazyCommand("coursefs.cli.service:service", "Let systemd mount at every login."),
    "report": LazyCommand("coursefs.cli.report:report", "Collect unexpected platform replies for a bug report."),
    "doctor": LazyCommand("coursefs.cli.doctor:doctor", "Check the setup and say how to fix it."),
    "completion": LazyCommand("coursefs.cli.completion:completion", "Print the completion script for a shell."),
    "help": LazyCommand("coursefs.cli.main:show_help", "Show the help of a command."),
}
_ALIASES = {"unmount": "umount"}


@click.command(
    cls=LazyGroup,
    entries=COMMANDS,
    aliases=_ALIASES,
    invoke_without_command=True,
    subcommand_metavar="COMMAND [ARGS]...",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option("-v", "--verbose", is_flag=True, help="Show log messages.")
@click.option(
    "--version",
    "show_version",
    is_flag=True,
    help="Show the version; with --verbose also what it runs on, for a bug report.",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="COURSEFS_CONFIG",
    show_envvar=True,
    help="Settings file.",
)
@click.option("--demo", is_flag=True, help="Practise: the command is for the sample courses of coursefs demo.")
@click.pass_context
def cli(ctx: click.Context, verbose: bool, show_version: bool, config: Path | None, demo: bool) -> None:
    """Your courses are a folder.

    \b
    Example: coursefs demo
    """
    if show_version:
        for line in (f"coursefs {__version__}", *(installed_versions() if verbose else ())):
            click.echo(output.clean(line))
        ctx.exit()
    if config is not None and ctx.invoked_subcommand not in _MAKES_SETTINGS and not absolute(expanded(config)).exists():
        raise UsageError(f"{config}: no such settings file (named by --config or COURSEFS_CONFIG)")
    if demo and (config is not None or ctx.invoked_subcommand in _NOT_FOR_DEMO):
        raise UsageError("--demo is for commands about courses, without --config; to mount them: coursefs demo")
    ctx.obj = Globals(config, verbose, demo)
    _log_to_stderr(verbose)
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), err=True)
        ctx.exit(2)


@click.command("help")
@click.argument("words", nargs=-1, metavar="[COMMAND]")
@click.pass_context
def show_help(ctx: click.Context, words: tuple[str, ...]) -> None:
    """Show the help of a command; without one, that of coursefs.

    \b
    Example: coursefs help courses list
    """
    context = ctx.find_root()
    command = context.command
    for word in words:
        if not isinstance(command, click.Group):
            raise click.UsageError(f"{context.command_path} has no commands of its own", context)
        name, found, _ = command.resolve_command(context, [word])
        assert found is not None  # else it has raised
        command = found
        context = click.Context(found, info_name=name, parent=context)
    click.echo(command.get_help(context))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command (default: of `sys.argv`) and return the exit status of the process."""
    if "t" in sys.abiflags:
        output.error(
            "coursefs does not run on a free-threaded build of Python: pyfuse3 and others switch the lock on again;"
            " use an ordinary build, or the self-contained program"
        )
        return 1
    if arguments is not None:
        return _main(list(arguments))
    streams.ensure()
    gc.set_threshold(_BEFORE_A_COLLECTION)
    try:
        return _main(sys.argv[1:])
    finally:
        gc.freeze()  # the interpreter collects once more when it ends, and would look through every module


def _main(arguments: list[str]) -> int:
    if arguments[:1] == [_SOURCE]:
        from coursefs.cli.mount_helper import helper  # rarely needed

        return run(helper, arguments)
    return run(cli, arguments)


def run(command: click.Command, arguments: Sequence[str]) -> int:
    """Run a command and return the exit status of the process; an error is one line on stderr."""
    streams.open_missing()
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")  # a title may have letters that the terminal lacks
    failed: BaseException | None = None
    try:
        result = command.main(arguments, prog_name="coursefs", standalone_mode=False)
        status = result if isinstance(result, int) else 0
    except SystemExit as error:  # click raises it when the pipe is closed; the stream still has unwritten data
        status = error.code if isinstance(error.code, int) else 1
    except (Exception, KeyboardInterrupt, BaseExceptionGroup) as error:
        failed = error
    undelivered = streams.failure()
    if undelivered is not None:
        status = _undelivered(undelivered)
    elif failed is not None:
        status = _failed(failed)
    try:
        sys.stderr.flush()
    except OSError:  # there is nowhere to write a message
        streams.give_up(sys.stderr, 2)
    return status


def _undelivered(error: OSError) -> int:
    """Report that the output could not be written, and return the exit status. A closed pipe needs no message."""
    streams.give_up(sys.stdout, 1)
    if not isinstance(error, BrokenPipeError):
        output.error(f"cannot write the output: {error.strerror}")
    return 1


def _failed(error: BaseException) -> int:
    """Report the reason in one line, and return the exit status."""
    if any(isinstance(cause, KeyboardInterrupt | click.Abort) for cause in crash_messages.causes(error)):
        return _INTERRUPTED
    if any(isinstance(cause, BrokenPipeError) for cause in crash_messages.causes(error)):
        return 1  # a closed pipe needs no message
    if isinstance(error, click.ClickException):
        output.error(_usage(error))
        return error.exit_code
    told = crash_messages.told(error)
    output.error(str(told))
    if isinstance(told, crash_messages.Defect):
        crash_messages.log_unforeseen(log, "it ended", error, level=logging.DEBUG)
    return told.exit_status


def _usage(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    return error.format_message() + (f" (see {context.command_path} --help)" if context else "")


def _log_to_stderr(verbose: bool) -> None:
    """Log coursefs' records to standard error: warnings, or everything with -v. Other libraries are not changed."""
    handler = logging.StreamHandler()
    handler.setFormatter(TerminalSafeFormatter("coursefs: %(message)s"))
    logger = logging.getLogger("coursefs")
    logger.handlers = [handler]
    logger.setLevel(logging.DEBUG if verbose else logging.WARNING)
