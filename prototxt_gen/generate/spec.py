"""What a residual net is made of: depth, stages, width, classes, input.

A :class:`Spec` is complete: what was left out has been filled in, and what makes no sense
has been refused. The same keys are the fields of the dataclass, the keys of a YAML or JSON
file and, with dashes, the options of ``gen``; ``depth`` stands for ``stages``, ``block``
and ``conv1_bias``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import NamedTuple, Self

from prototxt_gen.errors import SpecError

#: The most channels a layer may have: ``num_output`` is a uint32.
MOST_CHANNELS = 2**32 - 1
#: The most blocks of a net; above, the text would have more than LARGEST_FILE bytes.
MOST_BLOCKS = 100_000


class Conv(NamedTuple):
    """One convolution of a block's branch: its kernel, and its channels per width."""

    kernel: int
    factor: int


class BlockForm(NamedTuple):
    """The branch of a residual block; its first convolution has the block's stride."""

    convs: tuple[Conv, ...]

    @property
    def expansion(self) -> int:
        """The channels that come out of a block, per width."""
        return self.convs[-1].factor


#: The blocks of He et al., "Deep Residual Learning for Image Recognition", figure 5.
BLOCKS = {
    "basic": BlockForm((Conv(3, 1), Conv(3, 1))),
    "bottleneck": BlockForm((Conv(1, 1), Conv(3, 1), Conv(1, 4))),
}


class Depth(NamedTuple):
    """A net of table 1 of the same paper."""

    stages: tuple[int, ...]
    block: str
    #: MSRA published ResNet-50, alone among its nets, with a bias on conv1.
    conv1_bias: bool = False


DEPTHS = {
    18: Depth((2, 2, 2, 2), "basic"),
    34: Depth((3, 4, 6, 3), "basic"),
    50: Depth((3, 4, 6, 3), "bottleneck", conv1_bias=True),
    101: Depth((3, 4, 23, 3), "bottleneck"),
    152: Depth((3, 8, 36, 3), "bottleneck"),
}


@dataclass(frozen=True, slots=True)
class Spec:
    """A residual net in the form that MSRA published.

    ``stages`` counts the blocks of each stage; ``width`` is the number of channels of the
    first, and each further stage has twice as many at half the size. ``input_shape`` is
    (N, C, H, W). Raises SpecError, whose ``path`` names the entry, for what makes no sense.
    """

    stages: tuple[int, ...]
    block: str = "bottleneck"
    width: int = 64
    classes: int = 1000
    input_shape: tuple[int, ...] = (1, 3, 224, 224)
    conv1_bias: bool = False
    name: str = ""  #: the net's name; ``ResNet-`` and the depth where empty

    def __post_init__(self) -> None:
        _need_sizes("stages", self.stages)
        _need_choice("block", self.block, list(BLOCKS))
        _need_size("width", self.width, MOST_CHANNELS)
        _need_size("classes", self.classes, MOST_CHANNELS)
        _need_sizes("input_shape", self.input_shape)
        if len(self.input_shape) != 4:
            found = len(self.input_shape)
            raise SpecError(f"has {found} numbers, expected 4: N, C, H, W", path="input_shape")
        _need_type("conv1_bias", self.conv1_bias, bool, "true or false")
        _need_type("name", self.name, str, "a text")
        if sum(self.stages) > MOST_BLOCKS:
            message = f"{sum(self.stages)} blocks are more than {MOST_BLOCKS}"
            raise SpecError(message, path="stages")
        if self.width << (len(self.stages) - 1) > MOST_CHANNELS // self.form.expansion:
            message = f"{self.width} channels, doubled for each of {len(self.stages)} stages, "
            raise SpecError(message + f"are more than {MOST_CHANNELS}", path="width")
        if not self.name:
            object.__setattr__(self, "name", f"ResNet-{self.depth}")

    @property
    def form(self) -> BlockForm:
        """What each block is made of."""
        return BLOCKS[self.block]

    @property
    def depth(self) -> int:
        """The layers with weights on the longest way: convolutions and the classifier."""
        return 2 + sum(self.stages) * len(self.form.convs)

    @classmethod
    def of_depth(cls, depth: int, **changes: object) -> Self:
        """One of the published nets, 18, 34, 50, 101 or 152 layers deep, with changes."""
        return cls.of({"depth": depth, **changes})

    @classmethod
    def of(cls, values: Mapping[str, object]) -> Self:
        """A spec from a mapping, as a YAML file or the command line gives it."""
        known = [field.name for field in fields(cls)]
        for key in values:
            if key not in known and key != "depth":
                raise SpecError(unknown("key", key, ["depth", *known]), path=str(key))
        given = {key: _tuple(value) for key, value in values.items() if key != "depth"}
        if "depth" in values:
            given = _with_depth(values["depth"], given)
        elif "stages" not in given:
            raise SpecError("needs a depth, or stages and a block")
        return cls(**given)  # type: ignore[arg-type]


def unknown(what: str, found: object, choices: Sequence[str]) -> str:
    """The message for a word that is none of the choices."""
    close = get_close_matches(str(found), choices, 1)
    if close:
        return f"unknown {what} {found!r}; did you mean {close[0]!r}?"
    return f"unknown {what} {found!r}; expected {_or(choices)}"


def _with_depth(depth: object, given: dict[str, object]) -> dict[str, object]:
    if type(depth) is not int:
        raise SpecError(f"is {depth!r}, expected a whole number", path="depth")
    for key in ("stages", "block"):
        if key in given:
            raise SpecError(f"is given beside depth, which stands for it: {depth}", path=key)
    if depth not in DEPTHS:
        raise SpecError(_no_such_depth(depth), path="depth")
    return {**DEPTHS[depth]._asdict(), **given}


def _no_such_depth(depth: int) -> str:
    below = max((d for d in DEPTHS if d < depth), default=None)
    above = min((d for d in DEPTHS if d > depth), default=None)
    nearest = [str(d) for d in (below, above) if d is not None]
    form = "is" if len(nearest) == 1 else "are"
    return (
        f"there is no ResNet-{depth}; the nearest {form} {' and '.join(nearest)}, "
        "and stages with a block make any other"
    )


def _need_size(path: str, value: object, most: int = MOST_CHANNELS) -> None:
    if type(value) is not int:
        raise SpecError(f"is {value!r}, expected a whole number", path=path)
    if not 1 <= value <= most:
        raise SpecError(f"is {value}, expected 1 to {most}", path=path)


def _need_sizes(path: str, value: object) -> None:
    if not isinstance(value, tuple) or not value:
        raise SpecError(f"is {value!r}, expected a list of whole numbers", path=path)
    for index, item in enumerate(value):
        _need_size(f"{path}[{index}]", item)


def _need_choice(path: str, value: object, choices: Sequence[str]) -> None:
    if value not in choices:
        raise SpecError(unknown(path, value, choices), path=path)


def _need_type(path: str, value: object, kind: type, wanted: str) -> None:
    if type(value) is not kind:
        raise SpecError(f"is {value!r}, expected {wanted}", path=path)


def _tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _or(choices: Sequence[str]) -> str:
    return " or ".join([", ".join(choices[:-1]), choices[-1]] if len(choices) > 1 else choices)
