"""Options that would change nothing: they are refused with the reason, never ignored.

A command declares by ``goes_with`` which options need others, and by ``idle_with`` which lose their
meaning beside others. What only the files tell, such as that NET is a folder, it refuses by
``options.refuse``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar, cast

import click
from click.core import ParameterSource

F = TypeVar("F", bound=Callable[..., Any])


def goes_with(**needs: str) -> Callable[[F], F]:
    """Refuse an option or argument that is given alone, and needs one of some others.

    ``seed="weights_init"``, ``least_cosine="fp16 int8"``, ``power="policy=poly"``: the names are
    those of parameters, blanks stand between alternatives, and a value is one that is asked for.
    """

    return _checked(lambda context: need_others(context, needs))


def need_others(
    context: click.Context, needs: Mapping[str, str], before: Mapping[str, Any] | None = None
) -> None:
    """Raise UsageError where ``goes_with`` does; ``before`` are values that hold besides."""
    for name, others in needs.items():
        those = others.split()
        held = any(_holds(context.params, one) or _holds(before or {}, one) for one in those)
        if is_given(context, name) and not held:
            some = " or ".join(_shown(context, one) for one in those)
            raise click.UsageError(f"{_shown(context, name)} goes with {some}")


def idle_with(**others: str) -> Callable[[F], F]:
    """Refuse an option or argument that is given beside another one, and then changes nothing.

    ``columns="form=json"``, ``jobs="weights scheduler"``: what ``goes_with`` takes.
    """

    def need(context: click.Context) -> None:
        for name, those in others.items():
            for one in those.split() if is_given(context, name) else ():
                if _holds(context.params, one):
                    shown = _shown(context, one)
                    raise click.UsageError(f"{_shown(context, name)} changes nothing with {shown}")

    return _checked(need)


def is_given(context: click.Context, name: str) -> bool:
    """Whether a parameter was given on the command line, whatever its value."""
    return context.get_parameter_source(name) is ParameterSource.COMMANDLINE


def shown_as(context: click.Context, name: str) -> str:
    """A parameter as it was given: ``--map``, ``--no-fold``, ``WEIGHTS``."""
    for param in context.command.params:
        if param.name == name:
            if param.secondary_opts and context.params.get(name) is False:
                return param.secondary_opts[0]
            return param.opts[0] if param.opts[0].startswith("-") else name.upper()
    return name


def _checked(need: Callable[[click.Context], None]) -> Callable[[F], F]:
    def decorated(command: F) -> F:
        @wraps(command)
        def with_check(*args: Any, **options: Any) -> Any:
            need(click.get_current_context())
            return command(*args, **options)

        return cast(F, with_check)

    return decorated


def _holds(values: Mapping[str, Any], one: str) -> bool:
    name, equals, value = one.partition("=")
    found = values.get(name)
    if equals:
        return str(found) == value
    return not (found is None or found is False or found == ())


def _shown(context: click.Context, one: str) -> str:
    name, _, value = one.partition("=")
    return f"{shown_as(context, name)} {value}".rstrip()
