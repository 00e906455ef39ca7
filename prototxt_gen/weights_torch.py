"""PyTorch's nets: a state dict of torchvision's or timm's names, and back.

``gen --naming torchvision`` names layers after torchvision's modules, so that only the kinds of
weights have other names: Caffe's BatchNorm and Scale are torch's one BatchNorm2d. timm's nets of
the same names have the same modules; its own variants (resnet50d, seresnet50) are other nets.
"""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prototxt_gen import weights
from prototxt_gen._nearest import closest
from prototxt_gen._numpy import np
from prototxt_gen.diagnostics import Sink
from prototxt_gen.errors import WeightsError
from prototxt_gen.formats.binary.arrays import read_arrays
from prototxt_gen.generate.blocks import build
from prototxt_gen.generate.spec import Spec
from prototxt_gen.generate.zoo import preset
from prototxt_gen.graph.graph import Graph
from prototxt_gen.layers.parts.shapes import show

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]

CLASSES = 1000
_ZOOS = ("torchvision", "timm")
#: The presets of ``gen`` by the names that torchvision and timm give the same nets.
_NETS = {
    **{f"resnet{depth}": f"resnet{depth}-tv" for depth in (18, 34, 50, 101, 152)},
    "resnext50_32x4d": "resnext50-32x4d",
    "resnext101_32x8d": "resnext101-32x8d",
    "resnext101_64x4d": "resnext101-64x4d",
    "wide_resnet50_2": "wrn50-2",
    "wide_resnet101_2": "wrn101-2",
    **{f"densenet{depth}": f"densenet{depth}" for depth in (121, 161, 169, 201)},
}
#: timm's MobileNetV2 has modules of its own.
_TORCHVISIONS = {"mobilenet_v2": "mobilenet-v2-tv"}
ARCHITECTURES = {
    **{f"{zoo}/{name}": own for zoo in _ZOOS for name, own in _NETS.items()},
    **{f"{_ZOOS[0]}/{name}": own for name, own in _TORCHVISIONS.items()},
}
#: How many batches BatchNorm2d saw, which only training asks for.
_COUNT = "num_batches_tracked"
_PARALLEL = "module."  #: what DataParallel puts before every name
_CLASSIFIERS = ("fc.", "classifier.")
_SCALE = ".scale"  #: of the layer that holds what BatchNorm2d learns
_FACTOR = "/factor"  #: of BatchNorm: what its statistics are to be divided by
_NAMES = {"mean": "running_mean", "variance": "running_var"}
#: Where training scripts put the state dict among other things.
_INSIDE = ("state_dict", "model")
#: Before it, torch.load with weights_only can run code.
_SAFE = (2, 6)
#: Dense layers in torchvision's files of weights: ``norm.1`` for ``norm1``.
_DOTTED = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)")
_PICKLES = (".pth", ".pt", ".bin", ".tar")


def preset_of(architecture: str) -> str:
    """The preset of ``gen`` that is a net of torchvision's or timm's.

    Raises WeightsError with a list for an unknown name.
    """
    found = ARCHITECTURES.get(architecture) or ARCHITECTURES.get(f"{_ZOOS[0]}/{architecture}")
    if found is None:
        known = [*ARCHITECTURES, *_NETS, *_TORCHVISIONS]
        asked = architecture.lower()
        begun = [one for one in known if one.startswith(asked)] if asked else []
        close = begun[0] if begun else closest(asked, known)
        hint = f"; did you mean {close!r}?" if close else ""
        own = ", ".join(f"{_ZOOS[0]}/{one}" for one in _TORCHVISIONS)
        raise WeightsError(
            f"unknown architecture {architecture!r}{hint}; there are {' or '.join(_ZOOS)}/ "
            f"with {', '.join(_NETS)}, and {own}"
        )
    return found


def net(architecture: str, classes: int = CLASSES) -> Graph:
    """The net, as ``gen --naming torchvision`` makes it."""
    keys = {**preset(preset_of(architecture)), "naming": "torchvision", "classes": classes}
    return build(Spec.of(keys)).graph


def read_state(path: str | os.PathLike[str]) -> dict[str, Array]:
    """A state dict from a safetensors, npz or pth file, without prefix and counts.

    Raises WeightsError for a file without one, or if torch is needed and not installed.
    """
    pickled = Path(path).suffix in _PICKLES
    arrays = _unpickled(os.fspath(path)) if pickled else read_arrays(path, f".{_COUNT}")
    plain: dict[str, Array] = {}
    for name, value in arrays.items():
        short = _DOTTED.sub(r"\1\2", name.removeprefix(_PARALLEL))
        if short in plain:
            raise WeightsError(f"{path}: has {short!r} twice, with and without {_PARALLEL!r}")
        if not name.endswith(f".{_COUNT}"):
            plain[short] = value
    return plain


def _unpickled(path: str) -> dict[str, Array]:
    """The tensors of a file that torch.save wrote; torch runs no code that is in it."""
    try:
        import torch
    except ImportError:
        raise WeightsError(
            f"{path}: needs torch to be read: pip install 'resnet-proto[torch]'; "
            "a .safetensors file is read without it"
        ) from None
    if tuple(map(int, re.findall(r"[0-9]+", torch.__version__)[:2])) < _SAFE:
        raise WeightsError(
            f"{path}: torch {torch.__version__} may run code that is in such a file "
            "(CVE-2025-32434); expected torch 2.6 or newer, or a .safetensors file"
        )
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, KeyError, ValueError, pickle.UnpicklingError) as error:
        first = str(error).strip().partition("\n")[0]
        raise WeightsError(
            f"{path}: is no file of weights alone: {first}; "
            "expected what torch.save(model.state_dict(), path) writes"
        ) from error
    for key in _INSIDE:
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    if not isinstance(found, Mapping):
        raise WeightsError(f"{path}: holds a {type(found).__name__}; expected a state dict")
    for name, value in found.items():
        if not isinstance(value, torch.Tensor):
            raise WeightsError(
                f"{path}: {name!r} is a {type(value).__name__}; expected a state dict, of tensors"
            )
    return {str(name): value.detach().float().numpy() for name, value in found.items()}


def fit(graph: Graph, state: Mapping[str, Array]) -> dict[str, list[Array]]:
    """The weights of a net of ``net`` from a state dict.

    Raises WeightsError with every parameter that is missing, has another shape, or is left over.
    """
    left, sink = dict(state), Sink()
    found: dict[str, Array] = {}
    for key, (_, shape) in weights.entries(graph).items():
        if key.endswith(_FACTOR):
            found[key] = np.ones(1, np.float32)
            continue
        name = torch_name(key)
        value = left.pop(name, None)
        if value is None:
            sink.error("weights-missing", f"{name!r} is missing; expected {show(shape)}")
        elif value.shape != shape:
            words = f"{name!r} is {show(value.shape)}; expected {show(shape)}"
            sink.error("weights-shape", words + _hint(name, value.shape, shape))
        else:
            found[key] = value
    for name in left:
        sink.error("weights-left", f"{name!r} belongs to no layer of {graph.name}")
    sink.raise_errors(WeightsError)
    return weights.nested(graph, found)


def _hint(name: str, found: Sequence[int], wanted: Sequence[int | None]) -> str:
    """What to do about a classifier of another size."""
    last = name.startswith(_CLASSIFIERS)
    same = last and found and tuple(found[1:]) == tuple(wanted[1:])
    return f"; give --classes {found[0]}" if same else ""


def torch_name(key: str) -> str:
    """``bn1.running_mean`` for ``bn1/mean``, ``bn1.bias`` for ``bn1.scale/bias``."""
    layer, _, what = key.rpartition("/")
    return f"{layer.removesuffix(_SCALE)}.{_NAMES.get(what, what)}"


def state_of(graph: Graph, stored: weights.Stored) -> dict[str, Array]:
    """The reverse of ``fit``: the state dict of a net with the weights of a caffemodel.

    The counts of batches are left out, as torch does without them. Raises WeightsError for
    weights of another net.
    """
    arrays = weights.nested(graph, weights.flat(graph, stored))
    flat = weights.flat(graph, arrays)
    found = {}
    for key, value in flat.items():
        if key.endswith(_FACTOR):
            continue
        factor = flat.get(key.rpartition("/")[0] + _FACTOR)
        if factor is not None and factor[0] != 1:
            # batch_norm_layer.cpp: a factor of 0 means statistics of 0
            value = value / factor[0] if factor[0] else np.zeros_like(value)
        found[torch_name(key)] = value
    return found
