"""`coursefs help`."""

from __future__ import annotations

import click


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
