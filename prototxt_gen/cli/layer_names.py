"""``--map``, ``--weights-init``, ``--seed``: weights of other names, or that no file has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from prototxt_gen.cli.options import weights_init_options
from prototxt_gen.cli.output import print_note
from prototxt_gen.errors import GraphError, WeightsError

if TYPE_CHECKING:
    from prototxt_gen.graph.graph import Graph

F = TypeVar("F", bound=Callable[..., Any])
_PAIR = "NET_LAYER=FILE_LAYER"
_MOST = 8  #: suggestions, of which a net may have hundreds


def map_option(command: F) -> F:
    """``--map``, which gives the command pairs of names as ``names``."""
    return click.option(
        "--map",
        "names",
        multiple=True,
        metavar=_PAIR,
        help="A layer that has another name in WEIGHTS; may be repeated.",
    )(command)


def weights_options(command: F, seed: str = "The seed of --weights-init.") -> F:
    """``--map``, ``--weights-init`` and ``--seed``: how to get the weights that NET needs.

    The command gets ``names``, ``weights_init`` and ``seed``, which may be of more than that.
    """
    return map_option(weights_init_options(command, seed))


def pairs_of(names: Sequence[str], form: str = _PAIR) -> dict[str, str]:
    """The pairs of ``--map``; raises UsageError for what is none, or a first name given twice."""
    pairs: dict[str, str] = {}
    for item in names:
        first, equals, second = item.partition("=")
        if not (first and equals and second):
            raise click.UsageError(f"--map {item}: expected {form}")
        if first in pairs:
            raise click.UsageError(f"--map {item}: {first!r} is given twice")
        pairs[first] = second
    return pairs


def use_names(
    graph: Graph,
    names: Sequence[str],
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    *,
    suggest: bool = True,
) -> dict[str, str]:
    """Give layers the weights of those that are mapped to them, and say what may be meant.

    Returns the pairs, net to file. Raises UsageError for a layer that there is not, or that is
    given twice.
    """
    from prototxt_gen.graph.matching import mapped

    pairs = pairs_of(names)
    try:
        mapped(graph, pairs)
    except WeightsError as error:
        raise click.UsageError(f"--map: {error.message}") from error
    for layer, source in pairs.items():
        print_note(f"{layer}: has the weights of {source!r}, by --map")
    if suggest:
        _suggest(graph, shapes or {})
    return pairs


def _suggest(graph: Graph, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Say on stderr which layers of the file fit those that it does not have by name."""
    from prototxt_gen.graph.check import checked
    from prototxt_gen.graph.matching import matches

    if set(graph.stored) <= {node.name for node in graph.nodes}:
        return
    try:
        found = matches(graph, checked(graph, shapes), graph.stored)
    except GraphError:
        return  # the next step tells it
    suggested = [match for match in found if match.suggested]
    for match in suggested[:_MOST]:
        print_note(f"{match.layer}: {match.what}: --map {match.layer}={match.source}")
    if len(suggested) > _MOST:
        print_note(f"and {len(suggested) - _MOST} more; weights match shows them all")
