"""The systemd unit template `coursefs@.service`, with an instance for each mount point (pure)."""

from __future__ import annotations

from collections.abc import Sequence

NAME = "coursefs@.service"

_TEMPLATE = """\
{origin}
# Its own settings go into a drop-in: systemctl{manager} edit coursefs@.service
[Unit]
Description=Courses at %f
Documentation=man:coursefs(1)
{network}
[Service]
{account}Type=notify
NotifyAccess=main
ExecStart={command} mount --foreground{options} -- %f
ExecReload=kill -HUP $MAINPID
# a mount may ask the platforms first, and programs may have files open when it ends
TimeoutStartSec=100
TimeoutStopSec=20
Restart=on-failure
RestartSec=10
# wrong settings, and a sign-in that has ended, are not mended by trying again
RestartPreventExitStatus=2 3

[Install]
WantedBy={target}
"""
_WRITTEN = "# Written by `coursefs service install`; removed by `coursefs service uninstall`."
_PACKAGED = '# Mount at {when}: systemctl{manager} enable --now "coursefs@$(systemd-escape --path FOLDER)"'
_NETWORK = """\
Wants=network-online.target
After=network-online.target
"""
_ACCOUNT = """\
User={name}
# neither NoNewPrivileges= nor what gives a service folders of its own (PrivateTmp=, ProtectSystem=, DynamicUser= ...):
# it could not mount then, or no other user would see the mount
"""


def unit(command: Sequence[str], options: str = "", *, for_system: bool = False, account: str = "") -> str:
    """The text of the unit, for a user's systemd or for that of the machine.

    `command` is the command line of coursefs, with the absolute path of the program; `options` are mount options;
    `account` is the user that mounts, where that is not the one whose systemd it is.
    """
    return _text(_WRITTEN, command, options, for_system=for_system, account=account)


def packaged_unit(command: Sequence[str], *, for_system: bool) -> str:
    """The text of the unit for a package of a distribution, which installs it; users only enable it."""
    when = "the start of the machine" if for_system else "every login"
    origin = _PACKAGED.format(when=when, manager="" if for_system else " --user")
    return _text(origin, command, "", for_system=for_system)


def _text(origin: str, command: Sequence[str], options: str, *, for_system: bool, account: str = "") -> str:
    return _TEMPLATE.format(
        origin=origin,
        account=_ACCOUNT.format(name=account) if account else "",
        command=" ".join(map(quoted, command)),
        options=f" -o {quoted(options)}" if options else "",
        manager="" if for_system else " --user",
        network=_NETWORK if for_system else "",
        target="multi-user.target" if for_system else "default.target",
    )


def quoted(word: str) -> str:
    """A word of a systemd command line, with specifiers, variables and blanks escaped."""
    plain = word.replace("%", "%%").replace("$", "$$")
    if plain and not any(character in plain for character in " \t\"'\\;"):
        return plain
    escaped = plain.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def escaped_path(path: str) -> str:
    """An absolute path as an instance name, as `systemd-escape --path` writes it."""
    parts = [part for part in path.split("/") if part]
    if not parts:
        return "-"
    text = "/".join(parts)
    return "".join(
        "-"
        if character == "/"
        else character
        if character.isascii() and (character.isalnum() or character in ":_" or (character == "." and index))
        else "".join(f"\\x{byte:02x}" for byte in character.encode(errors="surrogateescape"))
        for index, character in enumerate(text)
    )
