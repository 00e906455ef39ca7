"""How commands are told which net is meant: by a preset, a spec file, or options."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from prototxt_gen.cli.options import Decimals, Numbers
from prototxt_gen.errors import SpecError
from prototxt_gen.generate import forms, recipe

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.shell_completion import CompletionItem

    from prototxt_gen.generate.spec import Spec

F = TypeVar("F", bound="Callable[..., Any]")


class Mean(click.ParamType):  # type: ignore[type-arg]
    """Numbers separated by commas, ``none``, or a file."""

    name = "mean"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[float] | str:
        """The numbers as a list, or the name of the file."""
        if isinstance(value, list) or value == "none":
            return value if isinstance(value, list) else []
        try:
            return [float(item) for item in str(value).split(",")]
        except ValueError:
            return str(value)


def _choice(values: Sequence[str]) -> click.Choice[str]:
    return click.Choice(list(values))


#: The keys of a spec as options: type, metavar, help.
OPTIONS: tuple[tuple[str, Any, str | None, str], ...] = (
    ("depth", int, "N", "18, 34, 50, 101, 152, 200 or 269; with --stem cifar, 2 + 6n or 2 + 9n."),
    ("stages", Numbers(), "N,N,...", "Blocks in each stage, such as 3,4,6,3, for any other net."),
    (
        "block",
        _choice(list(forms.BLOCKS)),
        None,
        "The block that stages consist of. [default: bottleneck]",
    ),
    (
        "strides",
        Numbers(),
        "N,N,...",
        "1 or 2 for each stage. [default: 2 but for the first, which has 1]",
    ),
    (
        "width",
        int,
        "N",
        "Channels of the first stage; of dense blocks, those that each adds. [default: 64; with "
        "--stem cifar 16]",
    ),
    (
        "widths",
        Numbers(),
        "N,N,...",
        "Channels of each stage. [default: --width, doubled; of dense blocks --width]",
    ),
    (
        "inner-widths",
        Numbers(),
        "N,N,...",
        "Channels inside the blocks of each stage. [default: as the width; of dense blocks 4 "
        "times the width]",
    ),
    (
        "expansions",
        Numbers(),
        "N,N,...",
        "Channels inside the inverted blocks of each stage, as multiples of what a block reads; "
        "0: without the convolution that expands. [default: 6]",
    ),
    ("width-factor", int, "N", "Multiplies the width of all stages (Wide ResNet). [default: 1]"),
    ("stem-width", int, "N", "Channels of the stem. [default: as --width; of dense nets twice]"),
    ("last-width", int, "N", "Channels of a 1x1 convolution after the stages. [default: none]"),
    ("cardinality", int, "N", "Groups of the 3x3 convolutions (ResNeXt). [default: 1]"),
    (
        "base-width",
        int,
        "N",
        "Channels per group at a width of 64 (ResNeXt). [default: width / cardinality]",
    ),
    (
        "shortcut",
        _choice(forms.SHORTCUTS),
        None,
        "If the shape changes: A zeros, B a 1x1 convolution, avgpool one after average pooling; "
        "C a convolution always; first one in each stage's first block. [default: B]",
    ),
    ("projection", int, "N", "The kernel of these convolutions, 1 or 3. [default: 1]"),
    (
        "stride-at",
        _choice(forms.STRIDES),
        None,
        "Which convolution of a bottleneck has the stride: 1x1 in MSRA's, 3x3 in torchvision's. "
        "[default: 1x1]",
    ),
    (
        "stem",
        _choice(list(forms.STEMS)),
        None,
        "7x7 and a pooling, three 3x3 and a pooling, or one 3x3: cifar; flat, with which the "
        "first stage has a stride too; half, with a stride. [default: 7x7]",
    ),
    (
        "pool",
        _choice(list(forms.POOLS)),
        None,
        "The stem's pooling: ceil has no pad and rounds up (MSRA), floor has pad 1 and rounds "
        "down (torchvision); ceil-pad1, floor-pad0. [default: ceil]",
    ),
    (
        "bias",
        str,
        "NAMES",
        f"Which convolutions have a bias: none, all, or of {', '.join(forms.BIASED)}. [default: "
        "none; with --depth 50 conv1]",
    ),
    (
        "norm",
        _choice(forms.NORMS),
        None,
        "batch: BatchNorm and Scale; scale: a Scale that BatchNorm is folded into; fused: "
        "NVIDIA's BatchNorm, which scales; none. [default: batch]",
    ),
    ("eps", float, "X", "BatchNorm's eps. [default: 1e-5]"),
    (
        "moving-average-fraction",
        float,
        "X",
        "How much of its statistics BatchNorm keeps in a training step. [default: 0.999]",
    ),
    ("se", int, "RATIO", "The reduction of squeeze-and-excitation, such as 16. [default: none]"),
    (
        "se-form",
        _choice(forms.SE_FORMS),
        None,
        "Its two layers: dense, InnerProduct; conv, 1x1 convolutions. [default: dense]",
    ),
    (
        "se-join",
        _choice(forms.SE_JOINS),
        None,
        "scale, in front of the sum; axpy, one layer of SENet's forks for both. [default: scale]",
    ),
    ("dropout", float, "RATIO", "The ratio of dropout inside blocks. [default: none]"),
    ("output-stride", int, "N", "8 or 16: dilation instead of further strides. [default: none]"),
    (
        "dilation",
        _choice(forms.DILATIONS),
        None,
        "stage: each 3x3 of a dilated stage; torchvision: its first block keeps the dilation "
        "before. [default: stage]",
    ),
    (
        "multi-grid",
        Numbers(),
        "N,N,...",
        "Factors of the dilation in each block of the last stage. [default: none]",
    ),
    (
        "eltwise",
        _choice(forms.ELTWISE),
        None,
        "How the shortcut and the branch are joined. [default: SUM]",
    ),
    (
        "coeff",
        Decimals(),
        "A,B",
        "Factors of the shortcut and the branch, for SUM. [default: none]",
    ),
    (
        "head",
        _choice(forms.HEADS),
        None,
        "A classifier; none, a trunk that ends in the last block's blob; fcn, scores for each "
        "place; embedding, a normalized vector of as many numbers as --classes. "
        "[default: classifier]",
    ),
    (
        "classifier-form",
        _choice(forms.CLASSIFIERS),
        None,
        "dense, InnerProduct; conv, a 1x1 convolution. [default: dense]",
    ),
    ("classifier-dropout", float, "RATIO", "Dropout before the classifier. [default: none]"),
    (
        "naming",
        _choice(forms.NAMINGS),
        None,
        "The names of layers: MSRA's, those of torchvision's modules, or shicai's, as in "
        "MobileNet-Caffe and DenseNet-Caffe. [default: msra]",
    ),
    ("phase", _choice(forms.PHASES), None, "For inference or for training. [default: deploy]"),
    (
        "train-batch",
        int,
        "N",
        "The batch size of the training data layer. [default: 32; for CIFAR 128]",
    ),
    ("dialect", _choice(forms.DIALECTS), None, "Which Caffe will read the file. [default: bvlc]"),
    ("classes", int, "N", "Number of classes. [default: 1000; with --stem cifar 10]"),
    (
        "input-shape",
        Numbers(),
        "N,C,H,W",
        "Shape of the input. [default: 1,3,224,224; with --stem cifar 1,3,32,32]",
    ),
    ("name", str, "TEXT", "The net's name. [default: family and depth]"),
)
FLAGS = (
    ("data-norm", "Normalize the data first, with BatchNorm and Scale."),
    ("relu6", "End activations at 6, by Clip, which --dialect bvlc has."),
    ("folded", "Omit BatchNorm and Scale, for weights and biases that they are folded into."),
    ("global-pool", "Make the last pooling global, for inputs of any size."),
)


#: The common keys of a spec's ``training`` as options: name, key, type, metavar, help.
TRAINING: tuple[tuple[str, str, Any, str | None, str], ...] = (
    (
        "source",
        "source",
        str,
        "PATH",
        "The database of training images. [default: ilsvrc12_train_lmdb]",
    ),
    (
        "test-source",
        "test_source",
        str,
        "PATH",
        "The database of the TEST phase. [default: ilsvrc12_val_lmdb]",
    ),
    (
        "backend",
        "backend",
        click.Choice(recipe.BACKENDS, case_sensitive=False),
        None,
        "What the sources are; HDF5 and ImageData: lists of files. [default: LMDB]",
    ),
    (
        "label-map",
        "label_map",
        str,
        "PATH",
        "The label map of AnnotatedData, with --dialect intel or nvcaffe. [default: none]",
    ),
    (
        "mean",
        "mean",
        Mean(),
        "X,.../FILE",
        "The mean of each channel, or of all, or a file; none. [default: ImageNet's or CIFAR's]",
    ),
    (
        "crop",
        "crop",
        int,
        "N",
        "The side of the crop and of the input; 0: images of this size. [default: the input's]",
    ),
    ("data-scale", "scale", float, "X", "Multiplies the data, after the mean. [default: 1]"),
    ("test-batch", "test_batch", int, "N", "The batch of the TEST phase. [default: 50, CIFAR 100]"),
    (
        "filler",
        "filler",
        str,
        "FILLER",
        "Of weights: msra, xavier, msra:FAN_OUT, gaussian:0.01. [default: msra]",
    ),
    (
        "freeze",
        "freeze",
        int,
        "N",
        "Parts that do not learn: 1 the stem, 2 the first stage too. [default: 0]",
    ),
    (
        "label-smoothing",
        "label_smoothing",
        float,
        "X",
        "Of the loss, with --dialect intel or nvcaffe. [default: 0]",
    ),
)


class PresetName(click.ParamType):  # type: ignore[type-arg]
    """The name of a preset; the table of presets checks it."""

    name = "preset"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The presets that begin with the text."""
        from click.shell_completion import CompletionItem

        from prototxt_gen.generate.zoo import PRESETS

        return [CompletionItem(name) for name in PRESETS if name.startswith(incomplete)]


def spec_options(command: F) -> F:
    """A preset as an argument, ``--spec FILE``, and every key of a spec as an option."""
    for name, help in reversed(FLAGS):
        command = click.option(f"--{name}", is_flag=True, default=None, help=help)(command)
    for name, key, kind, metavar, help in reversed(TRAINING):
        option = click.option(f"--{name}", f"training_{key}", type=kind, metavar=metavar, help=help)
        command = option(command)
    for name, kind, metavar, help in reversed(OPTIONS):
        command = click.option(f"--{name}", type=kind, metavar=metavar, help=help)(command)
    command = click.option(
        "--spec",
        type=click.Path(dir_okay=False),
        metavar="FILE",
        help="Read these options from YAML or JSON, with _ for -; options given here override it.",
    )(command)
    return click.argument("preset", required=False, type=PresetName())(command)


def training_options() -> dict[str, str]:
    """How a command gets the options about training, and what they are called in messages."""
    return {"train_batch": "train_batch", **{f"training_{key}": name for name, key, *_ in TRAINING}}


def spec_from(preset: str | None, spec: str | None, options: dict[str, Any]) -> Spec:
    """The spec that they give together: options override the file, and that the preset.

    Raises SpecError, with the place in the file if the file is to blame, and UsageError
    if none of them is given.
    """
    given = {name: value for name, value in options.items() if value is not None}
    recipe = {key: given.pop(f"training_{key}", None) for _, key, *_ in TRAINING}
    recipe["train_batch"] = given.pop("train_batch", None)
    recipe = {key: value for key, value in recipe.items() if value is not None}
    keys: dict[str, Any] = {}
    if preset is not None:
        from prototxt_gen.generate.zoo import preset as keys_of

        keys = keys_of(preset)
    file = None
    if spec is not None:
        from prototxt_gen.generate.specfile import read_spec

        file = read_spec(Path(spec))
    asked = {**(file.values if file else {}), **given}
    if recipe:
        asked["training"] = _over(asked, recipe)
    if preset is not None and "depth" in asked:
        raise click.UsageError(f"the preset {preset} determines the depth; give one of the two")
    if preset is None and spec is None and not {"depth", "stages"} & given.keys():
        raise click.UsageError(
            "no net is given; expected a preset, --depth, --stages or --spec, for instance "
            "resnet50, or --depth 50"
        )
    from prototxt_gen.generate.spec import Spec

    try:
        made = Spec.of({**keys, **asked})
        if "dilation" in given and not made.dilates:
            raise SpecError("changes nothing without an output_stride", path="dilation")
        if "bias" in given and made.folded:
            raise SpecError("changes nothing: a folded net has all biases", path="bias")
        return made
    except SpecError as error:
        entry = error.path.partition("[")[0]
        key = entry.removeprefix("training.")
        if key in recipe:
            called = {own: name for name, own, *_ in TRAINING}.get(key, key)
            raise SpecError(error.message.partition(": ")[2], path=called) from error
        if file is None or entry in given:
            raise
        raise file.locate(error) from error


def _over(asked: dict[str, Any], recipe: dict[str, Any]) -> object:
    """What options say of training over what a file says, which may be wrong."""
    own = asked.get("training", {})
    if not isinstance(own, dict):
        return own
    if "train_batch" in recipe:
        asked.pop("train_batch", None)
    return {**own, **recipe}
