"""``resnet-proto rule``: what a rule of ``validate`` is about."""

from __future__ import annotations

import click

from prototxt_gen.cli.output import print_line
from prototxt_gen.cli.tables import print_table


@click.command("rule", short_help="Explain a rule of validate, or list all.")
@click.argument("name", required=False, metavar="[NAME]")
def command(name: str | None) -> int:
    """Explain a rule of validate: what is wrong, what Caffe does, and what to write instead.

    Without NAME all rules are listed.

    \b
    resnet-proto rule unknown-bottom
    """
    from prototxt_gen.lint.rule import rules

    if name is None:
        rows = [(r.name, r.category, r.severity.value, r.summary) for r in rules().values()]
        print_table(("rule", "category", "severity", "what is wrong"), rows, prose=(3,))
        return 0
    from prototxt_gen.generate.checks import unknown

    if name not in rules():
        raise click.UsageError(unknown("rule", name, list(rules())))
    rule = rules()[name]
    print_line(f"{rule.name} ({rule.severity.value}, {rule.category})")
    print_line("")
    for line in rule.text.split("\n"):
        print_line(line)
    print_line("")
    print_line(f"Leave it out with  # prototxt: ignore[{rule.name}]  or --ignore {rule.name}.")
    return 0
