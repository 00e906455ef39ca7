"""What says which net is meant: a preset, a spec file, options; for several commands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from prototxt_gen.cli.options import Decimals, Numbers
from prototxt_gen.errors import SpecError
from prototxt_gen.generate import forms

if TYPE_CHECKING:
    from collections.abc import Callable

    from prototxt_gen.generate.spec import Spec

F = TypeVar("F", bound="Callable[..., Any]")


def _choice(values: Sequence[str]) -> click.Choice[str]:
    return click.Choice(list(values))


#: The keys of a spec as options: type, metavar, help.
OPTIONS: tuple[tuple[str, Any, str | None, str], ...] = (
    ("depth", int, "N", "18, 34, 50, 101, 152, 200 or 269; with --stem cifar 2 + 6n or 2 + 9n."),
    ("stages", Numbers(), "N,N,...", "Blocks of each stage, such as 3,4,6,3, for any other net."),
    ("block", _choice(list(forms.BLOCKS)), None, "What a stage is made of. [default: bottleneck]"),
    ("width", int, "N", "Channels of the first stage. [default: 64, with --stem cifar 16]"),
    ("width-factor", int, "N", "Times that in all stages (Wide ResNet). [default: 1]"),
    ("stem-width", int, "N", "Channels of the stem. [default: as --width]"),
    ("cardinality", int, "N", "Groups of the 3x3 convolutions (ResNeXt). [default: 1]"),
    ("base-width", int, "N", "Channels of a group where the width is 64. [default: they share it]"),
    (
        "shortcut",
        _choice(forms.SHORTCUTS),
        None,
        "Where the shape changes: A zeros, B a 1x1 convolution, avgpool one behind a mean; "
        "C a convolution everywhere. [default: B]",
    ),
    (
        "stride-at",
        _choice(forms.STRIDES),
        None,
        "The convolution of a bottleneck with the stride: MSRA's 1x1, torchvision's 3x3. "
        "[default: 1x1]",
    ),
    ("stem", _choice(forms.STEMS), None, "7x7 and a pool, three 3x3 and a pool, or one 3x3."),
    (
        "pool",
        _choice(forms.POOLS),
        None,
        "The stem's pool: MSRA's without pad, rounded up, or torchvision's with pad 1, rounded "
        "down. [default: ceil]",
    ),
    ("bias", _choice(forms.BIASES), None, "What convolutions have a bias. [default: none]"),
    ("se", int, "RATIO", "Squeeze-and-excitation, such as 16. [default: none]"),
    ("dropout", float, "RATIO", "Dropout inside of blocks. [default: none]"),
    ("output-stride", int, "N", "8 or 16: dilation in place of further strides."),
    ("eltwise", _choice(forms.ELTWISE), None, "How shortcut and branch are joined."),
    ("coeff", Decimals(), "A,B", "Factors of shortcut and branch, for SUM."),
    ("naming", _choice(forms.NAMINGS), None, "Names of layers. [default: msra]"),
    ("phase", _choice(forms.PHASES), None, "For inference or for training. [default: deploy]"),
    ("train-batch", int, "N", "Training images in memory at once. [default: 32, of CIFAR 128]"),
    ("dialect", _choice(forms.DIALECTS), None, "Which Caffe is to read it. [default: bvlc]"),
    ("classes", int, "N", "Classes to tell apart. [default: 1000, with --stem cifar 10]"),
    ("input-shape", Numbers(), "N,C,H,W", "Shape of the input. [default: 1,3,224,224]"),
    ("name", str, "TEXT", "The net's name. [default: family and depth]"),
)
FLAGS = (
    ("folded", "Without BatchNorm and Scale, for weights that they are folded into."),
    ("global-pool", "Make the last pooling global, whatever the size of the input."),
)


class PresetName(click.ParamType):  # type: ignore[type-arg]
    """The name of a preset, which the table of presets judges."""

    name = "preset"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The presets that begin so."""
        from prototxt_gen.generate.zoo import PRESETS

        return [CompletionItem(name) for name in PRESETS if name.startswith(incomplete)]


def spec_options(command: F) -> F:
    """A preset as an argument, ``--spec FILE``, and every key of a spec as an option."""
    for name, help in reversed(FLAGS):
        command = click.option(f"--{name}", is_flag=True, default=None, help=help)(command)
    for name, kind, metavar, help in reversed(OPTIONS):
        command = click.option(f"--{name}", type=kind, metavar=metavar, help=help)(command)
    command = click.option(
        "--spec",
        type=click.Path(dir_okay=False),
        metavar="FILE",
        help="Read these options from YAML or JSON, with _ for -; options given here go first.",
    )(command)
    return click.argument("preset", required=False, type=PresetName())(command)


def spec_from(preset: str | None, spec: str | None, options: dict[str, Any]) -> Spec:
    """The spec that they say together: options go before the file, and that before the preset.

    Raises SpecError, with the place in the file where that is to blame, and UsageError
    where nothing is said.
    """
    given = {name: value for name, value in options.items() if value is not None}
    keys: dict[str, Any] = {}
    if preset is not None:
        from prototxt_gen.generate.zoo import preset as keys_of

        keys = keys_of(preset)
    file = None
    if spec is not None:
        from prototxt_gen.generate.specfile import read_spec

        file = read_spec(Path(spec))
    asked = {**(file.values if file else {}), **given}
    if preset is not None and "depth" in asked:
        raise click.UsageError(f"the preset {preset} has its depth; give one of the two")
    if preset is None and spec is None and not {"depth", "stages"} & given.keys():
        raise click.UsageError(
            "say which net: a preset, --depth, --stages or --spec; for instance: "
            "resnet50, or --depth 50"
        )
    from prototxt_gen.generate.spec import Spec

    try:
        return Spec.of({**keys, **asked})
    except SpecError as error:
        if file is None or error.path.partition("[")[0] in given:
            raise
        raise file.locate(error) from error
