"""Command groups: they know other names of a command, suggest one, and import it only when it is called.

It is a module of its own because several groups use it.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import click


class LazyCommand(NamedTuple):
    """The import path of a command, and its line in the help of its group."""

    target: str  # module:name
    summary: str


class Group(click.Group):
    """A group that suggests a command for a name that it does not know."""

    #: what its commands are called in that message
    noun = "command"

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As in click. Raises `click.UsageError` for an unknown command."""
        name = args[0]
        if not ctx.resilient_parsing and not name.startswith("-") and self.get_command(ctx, name) is None:
            ctx.fail(f"no such {self.noun}: {name}{_did_you_mean(name, self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)


class LazyGroup(Group):
    """A group whose commands are imported when they are called; `aliases` are names that its help does not list."""

    def __init__(
        self,
        *arguments: Any,
        entries: Mapping[str, LazyCommand],
        aliases: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(*arguments, **options)
        self._entries = entries
        self._aliases = aliases or {}

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return list(self._entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click's signature
        entry = self._entries.get(self._aliases.get(cmd_name, cmd_name))
        if entry is None:
            return None
        module, _, name = entry.target.partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def summary(self, name: str) -> str:
        """The line about a command in the help of this group, without a full stop."""
        return self._entries[name].summary.rstrip(".")

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # click's signature
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in self._entries.items()])


def _did_you_mean(text: str, names: Iterable[str]) -> str:
    """`; did you mean NAME?` for the name most like a text, or those that it begins; "" where there is none (pure)."""
    known = list(names)
    begun = [name for name in known if len(text) > 1 and name.startswith(text.lower())]
    near = begun[:3] or difflib.get_close_matches(text.lower(), known, n=1)
    return f"; did you mean {' or '.join(near)}?" if near else ""
