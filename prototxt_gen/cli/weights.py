"""``resnet-proto weights``: make, show, compare, copy and convert weights."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import click

from prototxt_gen._words import plural
from prototxt_gen.cli.layer_names import map_option, pairs_of, use_names
from prototxt_gen.cli.options import (
    InputShape,
    dialect_option,
    input_shape_option,
    need_own_files,
    output_option,
    plugin_option,
    state_options,
    write_output,
)
from prototxt_gen.cli.output import print_note
from prototxt_gen.cli.tables import print_table
from prototxt_gen.cli.weights_files import export, import_, need_caffemodel, save

if TYPE_CHECKING:
    from prototxt_gen.graph.graph import Graph
    from prototxt_gen.graph.phase import State

_RENAMED = "OLD=NEW"  #: of ``copy --map``: the file's name and the net's


@click.group("weights", short_help="Make, show, compare, copy and convert weights.")
def command() -> None:
    """Make, show, compare, copy and convert the weights of Caffe nets."""


@command.command("init", short_help="Make weights by the fillers of a net.")
@plugin_option
@click.argument("net", metavar="NET")
@click.option(
    "--how",
    type=click.Choice(["fillers", "zeros", "random"]),
    default="fillers",
    help="By the net's fillers, as zeros, or at random. [default: fillers]",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, metavar="N", help="The seed. [default: 0]"
)
@input_shape_option
@state_options
@dialect_option
@click.option("-o", "--output", required=True, metavar="FILE", help="The caffemodel to write.")
def init(
    net: str,
    how: Literal["fillers", "zeros", "random"],
    seed: int,
    input_shapes: Sequence[InputShape],
    state: State,
    dialect: str | None,
    output: str,
) -> None:
    """Make weights for a net as Caffe's fillers would, and write a caffemodel."""
    from prototxt_gen import api
    from prototxt_gen import weights as tools

    need_caffemodel(output)
    need_own_files([net], [output])
    graph = api.load(net, state, dialect)
    made = tools.make(graph, how, seed, dict(input_shapes))
    save(graph, made, output)
    if how == "fillers":
        _say_zeros(graph, made)


def _say_zeros(graph: Graph, made: Mapping[str, Any]) -> None:
    """Say on stderr which weights are zeros, where the user may not expect it."""
    zero, statistics = [], False
    for node in graph.nodes:
        blobs = made.get(node.name, ())
        weights = node.layer.weights([blob.shape for blob in blobs])
        of_zeros = [weight for weight, blob in zip(weights, blobs, strict=False) if not blob.any()]
        statistics |= any(weight.statistic for weight in of_zeros)
        if of_zeros and of_zeros[0] is weights[0] and weights[0].filler is not None:
            zero += [] if node.params.has(weights[0].filler) else [node.name]
    if zero:
        some = ", ".join(zero[:3]) + (", …" if len(zero) > 3 else "")
        print_note(
            f"no filler, so zeros as in Caffe: {plural(len(zero), 'layer')} ({some}); "
            "--how random makes weights to compare results with"
        )
    if statistics:
        print_note(
            "the statistics of BatchNorm are zeros, as in Caffe before training, so the outputs "
            "mean nothing yet; --how random makes weights to compare results with"
        )


@command.command("show", short_help="List weights with shapes and statistics.")
@click.argument("model", metavar="MODEL")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show_weights(model: str, as_json: bool) -> int:
    """List the weights of a caffemodel: shapes, extremes, mean, deviation, NaN and infinity.

    Exit code 1: a number is not finite.
    """
    from prototxt_gen import weights as tools
    from prototxt_gen.layers.parts.shapes import show

    found = tools.statistics(tools.stored(model))
    bad = any(s.nan or s.infinite for s in found)
    if as_json:
        keys = ("layer", "index", "shape", "least", "greatest", "mean", "deviation", "nan")
        rows = [{**{k: getattr(s, k) for k in keys}, "infinite": s.infinite} for s in found]
        print(json.dumps(rows, indent=2))
        return int(bad)
    heads = ("layer", "", "shape", "least", "greatest", "mean", "deviation", "")
    table = [
        (
            s.layer,
            str(s.index),
            show(s.shape),
            *(f"{v:.4g}" for v in (s.least, s.greatest, s.mean, s.deviation)),
            f"{s.nan} NaN, {s.infinite} infinite" if s.nan or s.infinite else "",
        )
        for s in found
    ]
    print_table(heads, table, (1, 3, 4, 5, 6))
    return int(bad)


@command.command("net", short_help="Print the net that a caffemodel holds.")
@plugin_option
@click.argument("model", metavar="MODEL")
@dialect_option
@output_option
def net_of(model: str, dialect: str | None, output: str) -> None:
    """Write the net that a caffemodel holds as a prototxt, in the newest form.

    The Split layers that Caffe puts in are left out. The file has one phase alone, that of the
    training, and none of the rules for others.
    """
    from prototxt_gen import api
    from prototxt_gen.formats.binary.start import is_binary
    from prototxt_gen.formats.content import read_content
    from prototxt_gen.passes.splits import without_splits

    need_own_files([model], [output])
    if not is_binary(read_content(model)):
        raise click.UsageError(f"{model}: is no caffemodel; expected one that holds its net")
    graph = without_splits(api.read_caffe(model, dialect=dialect))
    write_output(output, api.dump(graph).encode("utf-8", "surrogateescape"))


@command.command("copy", short_help="Copy weights to another net, by name and shape.")
@plugin_option
@click.argument("model", metavar="MODEL")
@click.argument("net", metavar="NET")
@click.option(
    "--map",
    "names",
    multiple=True,
    metavar=_RENAMED,
    help="A layer that has another name in the net; may be repeated.",
)
@click.option(
    "--by-structure",
    "other",
    metavar="NET",
    help="The net that MODEL is of: layers are found by their places in both nets, whatever they "
    "are called.",
)
@input_shape_option
@state_options
@dialect_option
@click.option("-o", "--output", required=True, metavar="FILE", help="The caffemodel to write.")
def copy(
    model: str,
    net: str,
    names: tuple[str, ...],
    other: str | None,
    input_shapes: Sequence[InputShape],
    state: State,
    dialect: str | None,
    output: str,
) -> None:
    """Write a caffemodel for a net with the matching weights of another net.

    \b
    resnet-proto weights copy a.caffemodel b.prototxt --map fc8=score -o b.caffemodel
    resnet-proto weights copy a.caffemodel b.prototxt --by-structure a.prototxt -o b.caffemodel

    With --by-structure the two nets have to compute the same in the TEST phase, by layers of any
    names, in any order, in place or not; else the first difference is shown. One of them may go
    on where the other ends, as a detector does behind its trunk.
    """
    from prototxt_gen import api
    from prototxt_gen import weights as tools

    pairs = pairs_of(names, _RENAMED)
    if pairs and other is not None:
        raise click.UsageError("--map is for layers that are found by name")
    need_caffemodel(output)
    need_own_files([model, net, other], [output])
    graph = api.load(net, state, dialect)
    stored: Mapping[str, Any] = tools.stored(model)
    old_names = {}
    if other is not None:
        by_place = _counterparts(other, graph, state, dialect)
        _need_its_net(stored, by_place, model, other)
        old_names = {new: old for old, new in by_place.items()}
        stored = {by_place[old]: blobs for old, blobs in stored.items() if old in by_place}
    _need_layers(pairs, stored, graph)
    found, report = tools.copy(stored, graph, pairs, dict(input_shapes))
    rows = [(c.layer, old_names.get(c.source or "", c.source or ""), c.what) for c in report]
    if not found:
        print_table(("layer", "from", ""), rows, prose=(2,))
        raise click.UsageError(
            f"{model}: none of its layers matches one of the net; nothing is written"
        )
    # First the file: who reads the table may close the pipe early.
    save(graph, found, output)
    print_table(("layer", "from", ""), rows, prose=(2,))
    matched = sum(c.what == "matched" for c in report)
    print_note(f"{output}: {matched} of {plural(len(report), 'layer')} matched")


def _counterparts(other: str, graph: Graph, state: State, dialect: str | None) -> dict[str, str]:
    """The layers of another net, and those of this one that are the same but for names."""
    from prototxt_gen import api
    from prototxt_gen.diff.counterparts import counterparts

    found = counterparts(api.read_caffe(other, state=state, dialect=dialect), graph)
    for left, mine, more in zip(found.left, (other, "the net"), ("the net", other), strict=True):
        if left:
            print_note(f"{mine} has {plural(left, 'layer')} that {more} does not have")
    return found.names


def _need_its_net(
    stored: Mapping[str, Any], names: Mapping[str, str], model: str, other: str
) -> None:
    if names.keys().isdisjoint(stored):
        raise click.UsageError(f"{model} has weights for no layer of {other}; expected its net")


def _need_layers(pairs: Mapping[str, str], stored: Mapping[str, Any], graph: Graph) -> None:
    """Refuse a ``--map`` of a layer that the file or the net does not have, or of two into one."""
    names = {node.name for node in graph.nodes}
    taken: dict[str, str] = {}
    for old, new in pairs.items():
        if old not in stored or new not in names:
            what = f"the net has no layer {new!r}" if old in stored else ""
            what = what or f"the file has no layer {old!r}"
            turned = f"; the file's name comes first: {new}={old}"
            turned = turned if old in names and new in stored else ""
            raise click.UsageError(f"--map: {what}{turned}")
        if new in taken:
            words = f"{taken[new]!r} and {old!r} cannot both become {new!r}"
            raise click.UsageError(f"--map {old}={new}: {words}")
        taken[new] = old


@command.command("match", short_help="Show which weights of a file are those of a net.")
@plugin_option
@click.argument("net", metavar="NET")
@click.argument("model", metavar="MODEL")
@map_option
@input_shape_option
@state_options
@dialect_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def match(
    net: str,
    model: str,
    names: tuple[str, ...],
    input_shapes: Sequence[InputShape],
    state: State,
    dialect: str | None,
    as_json: bool,
) -> int:
    """List the layers of a net with the layers of MODEL that have their weights.

    They are matched by name, as Caffe does. A layer that MODEL does not have by name is compared
    by the shapes of its weights with those that the net does not have; give what is right with
    --map, here or to convert and run. Exit code 1: a layer has no weights that fit.
    """
    from prototxt_gen import api
    from prototxt_gen import weights as tools
    from prototxt_gen.graph.check import checked
    from prototxt_gen.graph.matching import matches

    graph = api.load(net, state, dialect)
    graph.stored = dict(tools.stored(model))
    pairs = use_names(graph, names, suggest=False)
    found = [
        row._replace(source=pairs.get(row.layer or "", row.source))
        for row in matches(graph, checked(graph, dict(input_shapes)), graph.stored)
    ]
    if as_json:
        keys = ("layer", "source", "what", "fits", "suggested")
        print(json.dumps([dict(zip(keys, row, strict=True)) for row in found], indent=2))
    else:
        print_table(("layer", "from", ""), [(m.layer or "", m.source or "", m.what) for m in found])
    return int(any(row.layer is not None and not row.fits for row in found))


@command.command("diff", short_help="Compare the weights of two files.")
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
def diff(first: str, second: str) -> int:
    """Show where the weights of two caffemodels differ. Exit code 1: they differ."""
    from prototxt_gen import weights as tools

    found = tools.difference(tools.stored(first), tools.stored(second))
    if found:
        print_table(("layer", ""), found, prose=(1,))
    else:
        print_note("no difference")
    return int(bool(found))


command.add_command(export)
command.add_command(import_)
