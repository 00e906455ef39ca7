"""Small random nets of layers that have windows, sizes and shapes of their own.

A net is a text; what follows each other is drawn until Caffe's rules accept it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.formats.reader import read_text
from prototxt_gen.graph.check import check
from prototxt_gen.graph.read import read
from prototxt_gen.layers.parts.shapes import Shape, count

Maker = Callable[[Random, Sequence[Shape]], str]
MODES = ("MAX", "AVE")
MOST = 1 << 14  #: elements of a blob


def window(r: Random, *, dilated: bool = False) -> str:
    """Kernel, stride and pad of height and of width."""
    found = []
    for side in "hw":
        kernel = r.randint(1, 5)
        stride, pad = r.choice([1, 1, 2, 2, 3, 4]), r.choice([0, 0, r.randrange(kernel)])
        found.append(f"kernel_{side}: {kernel} stride_{side}: {stride} pad_{side}: {pad}")
    if dilated and r.random() < 0.4:
        found.append(f"dilation: {r.randint(1, 3)}")
    return " ".join(found)


def pooling(r: Random, bottoms: Sequence[Shape]) -> str:
    mode = r.choice(["MAX", "MAX", "AVE", "AVE", "STOCHASTIC"])
    if r.random() < 0.1:
        return f"pooling_param {{ pool: {mode} global_pooling: true }}"
    if mode == "STOCHASTIC":
        made = f"kernel_size: {r.randint(1, 4)} stride: {r.randint(1, 4)}"
    else:
        made = window(r)
    rounding = r.choice(["", "", "round_mode: FLOOR"])
    return f"pooling_param {{ pool: {mode} {made} {rounding} }}"


def convolution(r: Random, bottoms: Sequence[Shape]) -> str:
    group = r.choice([1, 1, *bottoms[0][1:2]]) or 1
    out = group * r.randint(1, 2)
    return f"convolution_param {{ num_output: {out} group: {group} {window(r, dilated=True)} }}"


def unfolding(r: Random, bottoms: Sequence[Shape]) -> str:
    return f"convolution_param {{ {window(r, dilated=True)} }}"


def crop(r: Random, bottoms: Sequence[Shape]) -> str:
    axis = r.choice([2, 2, 3, 1])
    offsets = [r.choice([0, 0, 1, 2, 5]) for _ in range(r.choice([1, 4 - axis]))]
    return f"crop_param {{ axis: {axis} offset: {offsets} }}"


def interp(r: Random, bottoms: Sequence[Shape]) -> str:
    size = r.choice(
        [
            f"zoom_factor: {r.randint(1, 3)}",
            f"shrink_factor: {r.randint(1, 3)}",
            f"zoom_factor: {r.randint(1, 3)} shrink_factor: {r.randint(1, 3)}",
            f"height: {r.randint(1, 20)} width: {r.randint(1, 20)}",
        ]
    )
    pads = f" pad_beg: {-r.randrange(3)} pad_end: {-r.randrange(3)}" if r.random() < 0.4 else ""
    return f"interp_param {{ {size}{pads} }}"


def upsample(r: Random, bottoms: Sequence[Shape]) -> str:
    out = r.choice(["true", "false"])
    size = r.choice(
        [
            f"scale: {r.randint(1, 3)}",
            f"scale: 2 pad_out_h: true pad_out_w: {out}",
            f"upsample_h: {r.randint(1, 20)} upsample_w: {r.randint(1, 20)}",
        ]
    )
    return f"upsample_param {{ {size} }}"


def permute(r: Random, bottoms: Sequence[Shape]) -> str:
    order = list(range(len(bottoms[0])))
    r.shuffle(order)
    return f"permute_param {{ order: {order} }}"


def flatten(r: Random, bottoms: Sequence[Shape]) -> str:
    rank = len(bottoms[0])
    axis = r.randrange(rank)
    return f"flatten_param {{ axis: {axis} end_axis: {r.randrange(axis, rank)} }}"


def reshape(r: Random, bottoms: Sequence[Shape]) -> str:
    rank = len(bottoms[0])
    dims = [0] * r.randint(1, rank)
    for at, size in zip(range(len(dims)), bottoms[0], strict=False):
        if r.random() < 0.3:
            dims[at] = r.choice([1, 2, 3, size or 1])
    dims[r.randrange(len(dims))] = -1
    if r.random() < 0.3:
        dims.insert(r.randrange(len(dims) + 1), r.choice([1, 2, 3]))
    part = f"axis: {r.randrange(-2, rank)} num_axes: {r.randint(0, 2)}"
    return f"reshape_param {{ shape {{ dim: {dims} }} {part if r.random() < 0.3 else ''} }}"


def slices(r: Random, bottoms: Sequence[Shape]) -> str:
    point = f"slice_point: {r.randint(1, 6)}" if r.random() < 0.6 else ""
    return f"slice_param {{ axis: {r.randrange(len(bottoms[0]))} {point} }}"


def along(message: str, *more: str) -> Maker:
    """What has an axis, and one of some further parameters."""

    def made(r: Random, bottoms: Sequence[Shape]) -> str:
        extra = r.choice(more) if more else ""
        return f"{message} {{ axis: {r.randrange(len(bottoms[0]))} {extra} }}"

    return made


def either(*texts: str) -> Maker:
    """One of some parameters."""
    return lambda r, bottoms: r.choice(texts)


PYRAMIDS = [f"spp_param {{ pyramid_height: {n} pool: {p} }}" for n in (1, 2, 3) for p in MODES]
BOXES = "prior_box_param { min_size: 3 max_size: 5 clip: true }"
#: Type, how many bottoms and tops, and what makes the parameters.
Kind = tuple[str, int, int, Maker]
#: What has windows and sizes, which is drawn more often.
OFTEN: list[Kind] = [
    ("Pooling", 1, 1, pooling),
    ("Pooling", 1, 2, pooling),
    ("Convolution", 1, 1, convolution),
    ("Deconvolution", 1, 1, convolution),
    ("Crop", 2, 1, crop),
    ("Concat", 2, 1, along("concat_param")),
    ("Eltwise", 2, 1, either("", "eltwise_param { operation: MAX }")),
    ("Interp", 1, 1, interp),
    ("Upsample", 1, 1, upsample),
    ("Upsample", 2, 1, upsample),
    ("Reorg", 1, 1, either("reorg_param { stride: 2 }", "reorg_param { stride: 2 reverse: true }")),
    ("Permute", 1, 1, permute),
    ("Flatten", 1, 1, flatten),
    ("Reshape", 1, 1, reshape),
    ("Slice", 1, 2, slices),
    ("SPP", 1, 1, either(*PYRAMIDS)),
]
KINDS: list[Kind] = [
    *OFTEN,
    ("Softmax", 1, 1, along("softmax_param")),
    ("ArgMax", 1, 1, along("argmax_param", "", "top_k: 2", "out_max_val: true")),
    ("ArgMax", 1, 1, either("", "argmax_param { top_k: 3 out_max_val: true }")),
    ("Reduction", 1, 1, along("reduction_param", "", "operation: MEAN", "operation: SUMSQ")),
    ("Tile", 1, 1, along("tile_param", "tiles: 2", "tiles: 3")),
    ("Scale", 2, 1, along("scale_param")),
    ("Bias", 2, 1, along("bias_param")),
    ("LRN", 1, 1, either("", "lrn_param { norm_region: WITHIN_CHANNEL local_size: 3 }")),
    ("MVN", 1, 1, either("", "mvn_param { across_channels: true }")),
    ("Normalize", 1, 1, either("", "norm_param { across_spatial: true }")),
    ("PriorBox", 2, 1, either(BOXES, "prior_box_param { min_size: 3 step: 4 }")),
    ("InnerProduct", 1, 1, along("inner_product_param", "num_output: 2")),
    ("PReLU", 1, 1, either("")),
    ("BatchNorm", 1, 1, either("")),
    ("Im2col", 1, 1, unfolding),
]


class Net:
    """A net that grows, layer by layer."""

    def __init__(self, r: Random) -> None:
        size = r.randint(5, 24)
        shape = [r.randint(1, 2), r.randint(1, 4), size, r.choice([size, r.randint(5, 24)])]
        self.r = r
        self.text = f'input: "x" input_shape {{ dim: {shape} }}\n'
        self.blobs = blobs_of(self.text) or {}
        self.masks: dict[str, tuple[str, str]] = {}  #: by a pool: its mask, and what was pooled

    def grow(self, number: int) -> None:
        """One more layer, if one of twenty fits."""
        if not any(self._added(number) for _ in range(20)):
            self.text += f"# no layer {number} was found\n"

    def _added(self, number: int) -> bool:
        kind, bottoms, tops, maker = self.r.choice(OFTEN if self.r.random() < 0.6 else KINDS)
        masked = kind == "Upsample" and bottoms == 2
        taken = self._masked() if masked else self._drawn(bottoms)
        if not all(self.blobs.get(name) for name in taken):
            return False  # a scalar, or no mask
        made = [f"{chr(97 + number)}{top}" for top in range(tops)]
        wires = [f'bottom: "{name}"' for name in taken] + [f'top: "{name}"' for name in made]
        params = maker(self.r, [self.blobs[name] for name in taken])
        line = f'layer {{ name: "l{number}" type: "{kind}" {" ".join(wires)} {params} }}\n'
        found = blobs_of(self.text + line)
        if found is None or (masked and not self._fits(taken[0], found[made[0]])):
            return False
        self.text, self.blobs = self.text + line, found
        if kind == "Pooling" and tops == 2:
            self.masks[made[0]] = (made[1], taken[0])
        return True

    def _drawn(self, number: int) -> list[str]:
        """Blobs, of which the last are drawn more often; no masks, whose ties may differ."""
        names = sorted(self.blobs.keys() - {mask for mask, _ in self.masks.values()})
        late = self.r.random() < 0.7
        return [self.r.choice(names[-4:] if late else names) for _ in range(number)]

    def _masked(self) -> list[str]:
        if not self.masks:
            return [""]
        pool = self.r.choice(sorted(self.masks))
        return [pool, self.masks[pool][0]]

    def _fits(self, pool: str, top: Shape) -> bool:
        """Whether what was pooled is no larger than what the mask fills."""
        pooled = self.blobs[self.masks[pool][1]]
        return all((a or 0) <= (b or 0) for a, b in zip(pooled[2:], top[2:], strict=True))


def random_net(seed: int) -> str:
    """A net of an input and up to eight layers."""
    r = Random(seed)
    net = Net(r)
    for number in range(r.randint(2, 8)):
        net.grow(number)
    return net.text


def blobs_of(text: str) -> dict[str, Shape] | None:
    """The blobs of a net and their shapes; None if Caffe refuses it or it is large."""
    source = Source(text.encode())
    sink = Sink(source)
    graph = read(read_text(source, sink), sink)
    shapes = check(graph, sink)
    found = {ref.blob: shape for ref, shape in shapes.blobs.items()}
    if sink.errors or any(not 0 < (count(shape) or 0) <= MOST for shape in found.values()):
        return None
    return found
