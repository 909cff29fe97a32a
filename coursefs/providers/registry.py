"""The installed platforms: the entry points of the group `coursefs.providers`."""

from __future__ import annotations

from importlib.metadata import entry_points

from coursefs.errors import CoursefsError, UsageError
from coursefs.providers.platform import PROTOCOL, Platform
from coursefs.settings.account_keys import GROUP


def names() -> list[str]:
    """The names of all installed platforms, sorted."""
    return sorted({entry.name for entry in entry_points(group=GROUP)})


def platform(name: str) -> Platform:
    """The platform of this name.

    Raises `UsageError`, naming the known ones, when there is none; `CoursefsError` when it is installed but broken.
    """
    for entry in entry_points(group=GROUP, name=name):
        try:
            found = entry.load()
        except Exception as error:  # code of another project may raise anything
            raise CoursefsError(f"the provider {name} cannot be loaded: {error}") from error
        if not isinstance(found, Platform) or found.name != name:
            raise CoursefsError(f"the provider {name} cannot be loaded: {entry.value} is no platform of that name")
        if found.protocol != PROTOCOL:
            raise CoursefsError(
                f"the provider {name} is made for version {found.protocol} of the protocol, and this coursefs has"
                f" version {PROTOCOL}: upgrade the one that is older"
            )
        return found
    raise UsageError(f"unknown provider {name!r}; known: {', '.join(names()) or 'none'}")


def platforms() -> list[Platform]:
    """The installed platforms that can be loaded, by name.  Raises the error of one where none can."""
    loaded: list[Platform] = []
    failed: CoursefsError | None = None
    for name in names():
        try:
            loaded.append(platform(name))
        except CoursefsError as error:
            failed = error
    if not loaded:
        raise failed or UsageError("no platform is installed")
    return loaded
