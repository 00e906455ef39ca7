"""``weights export`` and ``weights import``: arrays by name, also PyTorch's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from prototxt_gen.cli.idle import goes_with, idle_with
from prototxt_gen.cli.layer_names import map_option, use_names
from prototxt_gen.cli.options import (
    InputShape,
    dialect_option,
    input_shape_option,
    need_own_files,
    plugin_option,
    state_options,
)
from prototxt_gen.cli.output import print_note

if TYPE_CHECKING:
    from prototxt_gen.graph.graph import Graph
    from prototxt_gen.graph.phase import State

_OTHER_FORMS = (".h5", ".hdf5", ".npz", ".safetensors", ".pth", ".pt", ".onnx", ".prototxt")
_arch_option = click.option(
    "--arch",
    metavar="ZOO/NET",
    help="A net of PyTorch's, torchvision/resnet50 or timm/resnext50_32x4d, instead of NET.",
)
_classes_option = click.option(
    "--classes",
    type=click.IntRange(min=1),
    metavar="N",
    help="With --arch: the number of classes. [default: 1000]",
)
#: ``--arch`` says which net it is.
_ARCH_SAYS_ALL = idle_with(
    **dict.fromkeys(("net", "dialect", "proto", "input_shapes"), "arch"),
    **dict.fromkeys(("phase", "stages", "level"), "arch"),
)


@click.command("export", short_help="Write the weights as npz or safetensors.")
@plugin_option
@click.argument("model", metavar="MODEL")
@click.argument("net", required=False, metavar="[NET]")
@_arch_option
@_classes_option
@map_option
@state_options
@dialect_option
@click.option(
    "-o", "--output", required=True, metavar="FILE", help="The .npz or .safetensors file to write."
)
@goes_with(classes="arch", names="net", phase="net", stages="net", level="net")
@_ARCH_SAYS_ALL
def export(
    model: str,
    net: str | None,
    arch: str | None,
    classes: int | None,
    names: tuple[str, ...],
    state: State,
    dialect: str | None,
    output: str,
) -> None:
    """Write the weights of a caffemodel by names such as conv1/weight.

    With --arch they are a state dict of PyTorch's, with names such as bn1.running_mean.
    """
    from prototxt_gen import api
    from prototxt_gen import weights as tools
    from prototxt_gen.formats.binary.arrays import write_arrays

    need_own_files([model, net], [output])
    if arch is not None:
        from prototxt_gen import weights_torch as torch

        made = torch.net(arch, classes or torch.CLASSES)
        write_arrays(output, torch.state_of(made, tools.stored(model)))
        return
    if net is None:
        graph = api.read_caffe(model, dialect=dialect)
        stored: Mapping[str, Any] = tools.stored(model)
    else:
        graph = api.load(net, state, dialect)
        graph.stored = dict(tools.stored(model))
        use_names(graph, names)
        stored = _of_the_net(graph, graph.stored, model)
    write_arrays(output, tools.flat(graph, stored))


def _of_the_net(graph: Graph, stored: Mapping[str, Any], model: str) -> dict[str, Any]:
    """The weights of the layers that a net has; the others are listed on stderr."""
    names = {node.name for node in graph.nodes}
    if not names.intersection(stored):
        raise click.UsageError(f"{model}: none of its layers is in the net")
    for name in stored:
        if name not in names:
            print_note(f"left out, since the net has no such layer: {name}")
    return {name: blobs for name, blobs in stored.items() if name in names}


@click.command("import", short_help="Write a caffemodel from npz, safetensors or PyTorch.")
@plugin_option
@click.argument("arrays", metavar="ARRAYS")
@click.argument("net", required=False, metavar="[NET]")
@_arch_option
@_classes_option
@input_shape_option
@state_options
@dialect_option
@click.option("-o", "--output", required=True, metavar="FILE", help="The caffemodel to write.")
@goes_with(classes="arch")
@_ARCH_SAYS_ALL
def import_(
    arrays: str,
    net: str | None,
    arch: str | None,
    classes: int | None,
    input_shapes: Sequence[InputShape],
    state: State,
    dialect: str | None,
    output: str,
) -> None:
    """Write a caffemodel for a net from arrays with names such as conv1/weight.

    With --arch the arrays are a state dict of PyTorch's, in a file of safetensors, or of
    torch.save, which needs torch; the net is the one that gen makes for it.

    \b
    resnet-proto weights import resnet50.pth --arch torchvision/resnet50 -o resnet50.caffemodel
    """
    from prototxt_gen import api
    from prototxt_gen import weights as tools
    from prototxt_gen.formats.binary.arrays import read_arrays

    need_caffemodel(output)
    if arch is not None:
        need_own_files([arrays], [output])
        _import_torch(arrays, arch, classes, output)
        return
    if net is None:
        raise click.UsageError("expected a NET, or --arch with a net of PyTorch's")
    need_own_files([arrays, net], [output])
    graph = api.load(net, state, dialect)
    save(graph, tools.nested(graph, read_arrays(arrays), dict(input_shapes)), output)


def _import_torch(arrays: str, arch: str, classes: int | None, output: str) -> None:
    """Write the caffemodel, and say which net it is for."""
    from prototxt_gen import weights_torch as torch

    graph = torch.net(arch, classes or torch.CLASSES)
    save(graph, torch.fit(graph, torch.read_state(arrays)), output)
    more = f" --classes {classes}" if classes else ""
    print_note(
        f"{output}: for the net of `resnet-proto gen {torch.preset_of(arch)} "
        f"--naming torchvision{more}`"
    )


def save(graph: Graph, weights: Mapping[str, Any], output: str) -> None:
    """Write a caffemodel, and say so if it needs a dialect to be read alone."""
    from prototxt_gen import weights as tools
    from prototxt_gen.formats.dialects import option

    if not tools.save(graph, weights, output):
        print_note(
            f"{output}: other Caffes read this net differently; give {option(graph.dialect)} "
            "to read the file without a prototxt"
        )


def need_caffemodel(output: str) -> None:
    """Refuse standard output, and a name that suggests another file format."""
    if output == "-":
        raise click.UsageError("a caffemodel goes into a file, not to standard output")
    suffix = Path(output).suffix.lower()
    if suffix in _OTHER_FORMS:
        raise click.UsageError(
            f"{output}: the file is a caffemodel; its name cannot end in {suffix}"
        )
