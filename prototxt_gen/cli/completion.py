"""``resnet-proto completion``: the script that lets a shell complete our commands."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the shell completion script of bash, zsh or fish.

    \b
    resnet-proto completion bash > ~/.local/share/bash-completion/completions/resnet-proto
    """
    made = get_completion_class(shell)
    if made is None:
        raise click.UsageError(f"this click has no completion for {shell}")
    variable = "_RESNET_PROTO_COMPLETE"
    click.echo(made(ctx.find_root().command, {}, "resnet-proto", variable).source())
