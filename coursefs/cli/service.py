"""`coursefs service`: have systemd mount at every login, or when the machine starts."""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click

from coursefs.base.installation import own_command, own_program
from coursefs.cli import completion, output
from coursefs.cli.lazy import Group
from coursefs.cli.mount import global_options
from coursefs.cli.output import Globals, pass_globals
from coursefs.errors import CoursefsError, NoAnswer, UsageError
from coursefs.settings.paths import absolute, config_home, require_trusted

_SYSTEM_UNITS = Path("/etc/systemd/system")
_LIMIT = 120.0  # seconds for systemctl, which waits for a mount and its first requests


@click.group(cls=Group, no_args_is_help=False)
def service() -> None:
    """Let systemd mount at every login, and again after a crash.

    \b
    Example: coursefs service install ~/courses
    """


_SYSTEM = click.option("--system", "for_system", is_flag=True, help="For the whole machine, by root.")


@service.command()
@click.argument("mountpoint", type=click.Path(path_type=Path), required=False)
@_SYSTEM
@click.option("--user", "account", metavar="NAME", help="With --system: the account that mounts; default: root.")
@click.option("-o", "texts", multiple=True, metavar="OPT[,OPT…]", help="Mount options, as for coursefs mount.")
@pass_globals
def install(
    options: Globals, mountpoint: Path | None, for_system: bool, account: str | None, texts: tuple[str, ...]
) -> None:
    """Install the unit coursefs@.service, and with MOUNTPOINT mount there now and at every login.

    With --system the mount starts with the machine and is shown to all its users; it is root's, or that of the account
    that --user names, with the settings and sign-ins of that account.  The last line shows the name of the mount for
    `systemctl --user status` and `journalctl --user -u`; `systemctl --user reload` reloads settings and sign-ins (with
    --system without --user).

    \b
    Example: coursefs service install ~/courses
    """
    from coursefs.mount.mountpoint import made, prepare, require_fuse  # not needed for --help
    from coursefs.mount.options import as_text, parse

    systemd = _Systemd(for_system)
    user = None if account is None else _server_account(account, for_system)
    given = [*(["allow_other"] if for_system else []), *texts]
    if user is not None:
        given = [f"uid={user.pw_uid},gid={user.pw_gid}", *given]
    parsed = parse(given)
    if parsed.config is not None and user is None:
        require_trusted(parsed.config)
    options.app_paths()  # checks the folders before anything is written
    require_fuse()
    systemd.require()
    when = "when the machine starts" if for_system else "at every login"
    with _written(systemd.file, systemd.unit(options, as_text(parsed) if given else "", account or "")):
        systemd.call("daemon-reload")
        if mountpoint is not None:
            is_new = not mountpoint.exists()
            with made(mountpoint) as wanted:
                place = prepare(wanted)
                if user is not None:
                    _give(place, user, is_new=is_new)
                instance = _instance(place)
                systemd.call("enable", "--now", instance)
    output.message(f"installed {systemd.file}")
    if mountpoint is not None:
        output.message(f"{instance}: mounted, now and {when}")


def _server_account(name: str, for_system: bool) -> pwd.struct_passwd:
    """The account that is to mount. Raises `CoursefsError` with what to do if it is missing or may not."""
    from coursefs.mount.mountpoint import FUSE_CONF, users_may_allow_other  # not needed for --help

    if not for_system:
        raise UsageError("--user is for the machine's systemd: add --system")
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        home = f"/var/lib/{name}"
        advice = f"sudo useradd --system --create-home --home-dir {home} --shell /usr/sbin/nologin {name}"
        raise CoursefsError(f"there is no user {name}; make it first: {advice}") from None
    if user.pw_uid != 0 and not users_may_allow_other(FUSE_CONF):
        raise CoursefsError(
            f"{name} may not mount for other users; allow it first: echo user_allow_other | sudo tee -a {FUSE_CONF}"
        )
    return user


def _give(mountpoint: Path, user: pwd.struct_passwd, *, is_new: bool) -> None:
    """Make a new mount point the user's. Raises `CoursefsError` if an older one is another user's."""
    if is_new:
        os.chown(mountpoint, user.pw_uid, user.pw_gid)
    elif mountpoint.stat().st_uid != user.pw_uid:
        place, name = shlex.quote(str(mountpoint)), user.pw_name
        raise CoursefsError(f"{place} does not belong to {name}, which is to mount there: sudo chown {name}: {place}")


@contextmanager
def _written(file: Path, text: str) -> Iterator[None]:
    """Write a file; if the context fails it is as it was before, and so are its folders."""
    before = file.read_text(encoding="utf-8") if file.exists() else None
    missing = [folder for folder in file.parents if not folder.exists()]
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        yield
    except BaseException as error:
        with suppress(OSError):
            if before is None:
                file.unlink(missing_ok=True)
            else:
                file.write_text(before, encoding="utf-8")
            for folder in missing:
                folder.rmdir()
        if isinstance(error, OSError):
            raise CoursefsError(f"cannot write {file}: {error.strerror}") from None
        raise


@service.command()
@click.argument("mountpoint", type=click.Path(path_type=Path), required=False, shell_complete=completion.mountpoints)
@_SYSTEM
@pass_globals
def uninstall(options: Globals, mountpoint: Path | None, for_system: bool) -> None:
    """Unmount MOUNTPOINT, and no longer mount it at login; without MOUNTPOINT, remove the unit.

    \b
    Example: coursefs service uninstall ~/courses
    """
    from coursefs.mount import mountinfo  # not needed for --help

    systemd = _Systemd(for_system)
    options.app_paths()
    file = systemd.file
    if not file.exists():
        raise CoursefsError(f"{file} does not exist: nothing is installed")
    if mountpoint is not None:
        instance = _instance(mountinfo.absolute(mountpoint))
        systemd.call("disable", "--now", instance)
        output.message(f"{instance}: unmounted, and no longer mounted {'at start' if for_system else 'at login'}")
        return
    # `disable` of a template removes the links of all instances
    systemd.call("disable", file.name)
    systemd.call("stop", "coursefs@*.service")
    file.unlink()
    systemd.call("daemon-reload")
    output.message(f"removed {file}")


class _Systemd:
    """The systemd that mounts: this user's, or that of the machine."""

    def __init__(self, for_system: bool) -> None:
        """Raises `UsageError` if another user than root wants to change the machine's."""
        if for_system and os.geteuid() != 0:
            raise UsageError("--system is for root: sudo coursefs service install --system …")
        self._for_system = for_system
        self._manager = "--system" if for_system else "--user"

    @property
    def file(self) -> Path:
        """The unit's file."""
        from coursefs.daemon.systemd_unit import NAME  # not needed for --help

        return (_SYSTEM_UNITS if self._for_system else config_home() / "systemd" / "user") / NAME

    def unit(self, options: Globals, given: str, account: str) -> str:
        """The text of the unit with these mount options."""
        from coursefs.daemon.systemd_unit import unit  # not needed for --help

        command = [*_program(), *global_options(options)]
        return unit(command, given, for_system=self._for_system, account=account)

    def require(self) -> None:
        """Raise `CoursefsError` with what to do if this systemd cannot be reached; changes nothing."""
        try:
            self.call("show-environment")
        except CoursefsError as error:
            raise CoursefsError(f"{error}; {self._advice()}") from None

    def _advice(self) -> str:
        if shutil.which("systemctl") is None or self._for_system:
            return "without systemd, use a line in /etc/fstab, or coursefs mount"
        from coursefs.mount.mountpoint import user_name  # not needed for --help

        user = user_name(os.geteuid())
        return (
            f"log in as {user} itself, not by su or sudo, or keep a session of it with `sudo loginctl enable-linger"
            f" {user}` and set XDG_RUNTIME_DIR=/run/user/{os.geteuid()}; then try again"
        )

    def call(self, *arguments: str) -> None:
        """Call systemctl. Raises `CoursefsError` if it fails."""
        program = shutil.which("systemctl")
        if program is None:
            raise CoursefsError("systemctl not found: `service` needs systemd")
        try:
            done = subprocess.run(  # noqa: S603
                [program, self._manager, *arguments], capture_output=True, text=True, timeout=_LIMIT, check=False
            )
        except subprocess.TimeoutExpired:
            raise NoAnswer(f"systemctl {self._manager} {arguments[0]} did not return") from None
        if done.returncode != 0:
            said = done.stderr.strip().splitlines()
            raise CoursefsError(f"systemctl {self._manager} {arguments[0]}: {said[0] if said else 'failed'}")


def _instance(mountpoint: Path) -> str:
    from coursefs.daemon.systemd_unit import NAME, escaped_path  # not needed for --help

    return NAME.replace("@", f"@{escaped_path(str(mountpoint))}")


def _program() -> list[str]:
    """The command line of this coursefs, with absolute paths."""
    if program := own_program():
        return [program]
    called = absolute(Path(sys.argv[0]))
    if called.name == "coursefs" and os.access(called, os.X_OK) and called.is_file():
        return [str(called)]
    return own_command()
