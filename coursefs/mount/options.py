"""Parsing of mount options (`-o`), pure."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from coursefs.errors import UsageError
from coursefs.settings.paths import absolute, expanded
from coursefs.settings.units import parse_size

#: options that are passed on to the kernel
_KERNEL = frozenset({"allow_other", "allow_root", "auto_unmount", "nosuid", "nodev", "exec", "noexec", "noatime"})
#: groups of options of which the last one counts
_OPPOSITE = {"exec": "noexec", "noexec": "exec"}
#: in force whatever is said: files of a platform are not to be programs of this machine, but where `exec` is said
_ALWAYS = frozenset({"ro", "default_permissions", "nosuid", "nodev"})
#: what mount(8), fstab and habits add; true already, or not for us to act on
_IGNORED = frozenset(
    "ro rw suid dev atime relatime norelatime strictatime lazytime diratime nodiratime sync async dirsync defaults"
    " auto noauto user nouser users owner group _netdev nofail default_permissions".split()
)
_OPTION = re.compile(r"(?:\\.?|[^,\\])+", re.DOTALL)
_ESCAPED = re.compile(r"\\(.?)", re.DOTALL)
_SPECIAL = re.compile(r"[,\\]")
_OWN = ("uid", "gid", "umask", "cache_dir", "cache_size", "config", "offline")


@dataclass(frozen=True, slots=True)
class MountOptions:
    """The options of one mount."""

    uid: int = field(default_factory=os.getuid)  # owner of everything
    gid: int = field(default_factory=os.getgid)
    umask: int = 0o022
    cache_dir: Path | None = None
    cache_size: int | None = None  # bytes
    config: Path | None = None  # settings file, absolute
    offline: bool = False
    kernel: frozenset[str] = frozenset()  # further options for the kernel

    @property
    def for_kernel(self) -> frozenset[str]:
        """All options that are passed to the kernel."""
        return _ALWAYS | self.kernel | (frozenset() if "exec" in self.kernel else {"noexec"})


class _Unknown(UsageError):
    pass


def parse(texts: Sequence[str], *, sloppy: bool = False) -> MountOptions:
    r"""The options of any number of `-o a,b=c`; `\,` is a comma within a value, as in libfuse.

    Raises `UsageError` that names the wrong option; with `sloppy` unknown options are ignored.
    """
    options = MountOptions()
    for text in texts:
        for option in _OPTION.findall(text):
            try:
                options = _with(options, _ESCAPED.sub(r"\1", option))
            except _Unknown:
                if not sloppy:
                    raise
    return options


def as_text(options: MountOptions) -> str:
    """The options as text that `parse` turns into the same options, in any working folder."""
    values = [f"uid={options.uid}", f"gid={options.gid}", f"umask={options.umask:03o}", *sorted(options.kernel)]
    for name, path in (("cache_dir", options.cache_dir), ("config", options.config)):
        if path is not None:
            values.append(f"{name}=" + _SPECIAL.sub(r"\\\g<0>", str(path)))
    if options.cache_size is not None:
        values.append(f"cache_size={options.cache_size}")
    if options.offline:
        values.append("offline")
    return ",".join(values)


def _with(options: MountOptions, option: str) -> MountOptions:
    name, equals, value = option.partition("=")
    if name in _KERNEL and not equals:
        return replace(options, kernel=options.kernel - {_OPPOSITE.get(name)} | {name})
    if (name in _IGNORED and not equals) or name.startswith("x-") or name in {"comment", "user"}:
        return options
    match name:
        case "offline" if not equals:
            return replace(options, offline=True)
        case "uid":
            return replace(options, uid=_number(name, value, 10))
        case "gid":
            return replace(options, gid=_number(name, value, 10))
        case "umask":
            return replace(options, umask=_number(name, value, 8) & 0o777)
        case "cache_dir" if value:
            return replace(options, cache_dir=absolute(expanded(Path(value))))
        case "config" if value:
            return replace(options, config=absolute(expanded(Path(value))))
        case "cache_size" if value:
            return replace(options, cache_size=parse_size(value))
    if name in _OWN:
        raise UsageError(f"-o {option}: " + ("takes no value" if name == "offline" else "needs a value"))
    close = difflib.get_close_matches(name, [*_OWN, *_KERNEL], 1)
    raise _Unknown(f"-o {option}: unknown option" + (f" (did you mean {close[0]}?)" if close else ""))


def _number(name: str, value: str, base: int) -> int:
    try:
        number = int(value, base)
    except ValueError:
        number = -1
    if not 0 <= number < 2**32:
        raise UsageError(f"-o {name}={value}: is not a{'n octal' if base == 8 else ''} number")
    return number
