"""`coursefs completion`: what a shell needs to complete commands, options, accounts and courses."""

from __future__ import annotations

import click

_VARIABLE = "_COURSEFS_COMPLETE"  # click's name for it


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what SHELL needs to complete the command line.

    It goes into the shell's own folder for such things, and works in every shell that is opened after that:

    \b
    bash  coursefs completion bash > ~/.local/share/bash-completion/completions/coursefs
    zsh   coursefs completion zsh > "${fpath[1]}/_coursefs"
    fish  coursefs completion fish > ~/.config/fish/completions/coursefs.fish

    \b
    Example: coursefs completion bash
    """
    from click.shell_completion import get_completion_class  # noqa: PLC0415  # not needed for --help

    from coursefs.cli.main import cli  # noqa: PLC0415  # which names this module

    kind = get_completion_class(shell)
    assert kind is not None
    # without asking the shell for its version, as click's own way of printing it does
    click.echo(kind(cli, {}, "coursefs", _VARIABLE).source())
