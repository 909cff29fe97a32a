"""Where coursefs keeps its things: the XDG folders, honoured through the environment.

Nothing is created here; whoever writes first makes the folder with the mode that it needs.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from platformdirs.unix import Unix

from coursefs.errors import UsageError

_NAME = "coursefs"


@dataclass(frozen=True, slots=True)
class Places:
    """Absolute paths of one world: its settings, secrets, catalogue, contents, sockets and log."""

    config_file: Path
    data_dir: Path
    state_dir: Path  # catalogue
    cache_dir: Path  # contents, where the settings name no other folder
    runtime_dir: Path  # sockets, pid
    log_dir: Path
    below: str | None = None  # name of a separate world; None: the ordinary one

    @property
    def credentials_dir(self) -> Path:
        """Secrets, where no desktop keyring holds them."""
        return self.data_dir / "credentials"


def places(config: Path | None = None, below: str | None = None) -> Places:
    """The places of this user.

    `config` is a settings file named on the command line.  `below` is the name of a separate world ("demo") that
    shares nothing with the ordinary one: it lives in a sub-folder of that name in every place.
    """
    xdg = Unix(_NAME, appauthor=False)

    def world(folder: Path) -> Path:
        return folder / below if below else folder

    state = world(xdg.user_state_path)
    runtime = _session_folder()
    if config and config.parts[:1] == ("~",):  # of COURSEFS_CONFIG in a file that no shell reads
        config = expanded(config)
    return Places(
        config_file=config.absolute() if config else world(xdg.user_config_path) / "config.toml",
        data_dir=world(xdg.user_data_path),
        state_dir=state,
        cache_dir=world(xdg.user_cache_path),
        runtime_dir=world(runtime / _NAME) if runtime else state,
        log_dir=state / "log",
        below=below,
    )


def expanded(path: Path) -> Path:
    """The path with its `~` or `~user` made a folder.  Raises `UsageError` when there is no such user."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise UsageError(f"{path}: no home folder is known for {path.parts[0]}") from None


def _session_folder() -> Path | None:
    """`$XDG_RUNTIME_DIR` where the login session made it.

    A session that was entered with `su`, or a cron job, may carry the name of a folder that is not there or belongs
    to somebody else.
    """
    named = os.environ.get("XDG_RUNTIME_DIR", "")
    if not named.startswith("/") or not os.access(named, os.R_OK | os.W_OK | os.X_OK):
        return None
    return Path(named)
