"""The template of a systemd user unit, `coursefs@.service`: one instance for each mount point (pure)."""

from __future__ import annotations

from collections.abc import Sequence

NAME = "coursefs@.service"

_TEMPLATE = """\
# Written by `coursefs service install`; taken away by `coursefs service uninstall`.
# Its own settings go into a drop-in: systemctl --user edit coursefs@.service
[Unit]
Description=Courses at %f
Documentation=man:coursefs(1)

[Service]
Type=notify
NotifyAccess=main
ExecStart={command} mount --foreground -- %f
ExecReload=kill -HUP $MAINPID
# a mount may ask the platforms first, and programs may have files open when it ends
TimeoutStartSec=100
TimeoutStopSec=20
Restart=on-failure
RestartSec=10
# wrong settings, and a sign-in that has ended, are not mended by trying again
RestartPreventExitStatus=2 3

[Install]
WantedBy=default.target
"""


def unit(command: Sequence[str]) -> str:
    """The unit's text; `command` is how coursefs is called, the program with its absolute path first."""
    return _TEMPLATE.format(command=" ".join(map(quoted, command)))


def quoted(word: str) -> str:
    """A word as a command line of systemd has it: no specifier, no variable, no blank that divides."""
    plain = word.replace("%", "%%").replace("$", "$$")
    if plain and not any(character in plain for character in " \t\"'\\;"):
        return plain
    escaped = plain.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def escaped_path(path: str) -> str:
    """An absolute path as the name of an instance, as `systemd-escape --path` writes it."""
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
