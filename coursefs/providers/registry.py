"""Which providers there are: the entry points of the group `coursefs.providers`."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import cast

from coursefs.errors import CoursefsError, UsageError
from coursefs.providers.base import ProviderFactory

GROUP = "coursefs.providers"


def names() -> list[str]:
    """The names of all installed providers, sorted."""
    return sorted({entry.name for entry in entry_points(group=GROUP)})


def provider(name: str) -> ProviderFactory:
    """The factory of the provider of this name.

    Raises `UsageError`, naming the known ones, when there is none; `CoursefsError` when it is installed but broken.
    """
    for entry in entry_points(group=GROUP, name=name):
        try:
            return cast(ProviderFactory, entry.load())
        except (ImportError, AttributeError) as error:
            raise CoursefsError(f"the provider {name} cannot be loaded: {error}") from error
    raise UsageError(f"no provider is called {name!r}; known: {', '.join(names()) or 'none'}")
