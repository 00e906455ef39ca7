"""From a model in float32 to one in float16 or int8, compared with it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import onnx
from onnx import numpy_helper

from prototxt_gen._words import plural
from prototxt_gen.engines import open_session, session_values, with_outputs
from prototxt_gen.errors import UnsupportedError, VerificationError
from prototxt_gen.precision.agreement import Agreement, agreement
from prototxt_gen.precision.casts import in_order
from prototxt_gen.precision.half import to_half
from prototxt_gen.precision.int8 import to_int8
from prototxt_gen.precision.keep import kept_layers, kept_nodes
from prototxt_gen.precision.overflow import need_room
from prototxt_gen.precision.samples import Feed, drawn, pictured
from prototxt_gen.to_onnx.efficient_nms import plugins_of
from prototxt_gen.to_onnx.export import Exported
from prototxt_gen.to_onnx.write import LARGEST_MODEL

Array = np.ndarray[Any, np.dtype[Any]]
Kind = Literal["fp16", "int8"]
ENTRY = "resnet-proto.precision"
#: The least cosine of an output: what any weights reach, and a broken model does not.
LEAST: dict[Kind, float] = {"fp16": 0.999, "int8": 0.9}
_PROVIDER = "CPUExecutionProvider"


@dataclass(frozen=True, slots=True)
class Asked:
    """A precision; ``images`` are the files that int8 is calibrated with."""

    kind: Kind
    images: tuple[str, ...] = ()
    least: float | None = None  #: cosine; None: that of ``LEAST``


@dataclass(frozen=True, slots=True)
class Lowered:
    """The model, how near it is to that in float32, and which layers are as they were."""

    made: Exported
    asked: Asked
    agreement: Agreement
    kept: tuple[str, ...]
    sizes: tuple[int, int]  #: bytes of weights, before and now

    def words(self) -> Iterator[str]:
        """What was done, in lines."""
        before, now = map(_bytes_in_words, self.sizes)
        found = plural(self.agreement.samples, self.agreement.of)
        yield (
            f"{self.asked.kind}: {now} of weights, {before} in float32; compared with it on {found}"
        )
        yield from self.agreement.words()

    def to_dict(self) -> dict[str, object]:
        """What was done as JSON."""
        return {
            "kind": self.asked.kind,
            "bytes_of_weights": {"float32": self.sizes[0], self.asked.kind: self.sizes[1]},
            "in_float32": list(self.kept),
            **self.agreement.to_dict(),
        }


def _bytes_in_words(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"


def lower(made: Exported, asked: Asked) -> Lowered:
    """A model in the precision that is asked for.

    Raises UnsupportedError for a model that cannot have it, VerificationError for files that are
    no inputs, and where the outputs are not near those in float32, with the layer where float16
    overflows; and OSError.
    """
    if _bytes(made) > LARGEST_MODEL:
        raise UnsupportedError(f"{asked.kind} is for models of less than 2 GiB")
    if plugins_of(made.skeleton):
        raise UnsupportedError(
            f"{asked.kind} is compared by running the model, and nothing here runs TensorRT's "
            "plug-in; expected --detection stop or full"
        )
    kept = kept_layers(made)
    nodes = kept_nodes(made, kept)
    if asked.kind == "fp16":
        model = to_half(made, nodes)
        need_room(made, nodes, _feeds(made, asked))
    else:
        model = to_int8(made, nodes, _feeds(made, asked))
    entry = {"kind": asked.kind, "in_float32": kept, "by": f"onnxruntime {_version()}"}
    model.metadata_props.add(key=ENTRY, value=json.dumps(entry, sort_keys=True))
    model.producer_name = made.skeleton.producer_name
    model.producer_version = made.skeleton.producer_version
    _tidy(model)
    lowered = _exported(made, model)
    found = _compared(made, lowered, asked)
    _need_near(found, asked)
    sizes = _bytes(made), _bytes(lowered)
    return Lowered(lowered, asked, found, tuple(kept), sizes)


def _tidy(model: onnx.ModelProto) -> None:
    """Take away what the tools add and a model does not need, and bring nodes into order."""
    del model.graph.value_info[:]
    for entry in [one for one in model.metadata_props if one.key == "onnx.infer"]:
        model.metadata_props.remove(entry)
    nodes = list(in_order(model.graph))
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _feeds(made: Exported, asked: Asked) -> Iterator[Feed]:
    if not asked.images:
        return drawn(made)
    return pictured(made.skeleton, [one.done for one in made.baked], asked.images)


def _bytes(made: Exported) -> int:
    return sum(array.nbytes for array in made.values.values())


def _version() -> str:
    import onnxruntime

    return str(onnxruntime.__version__)


def _exported(made: Exported, model: onnx.ModelProto) -> Exported:
    """The model with its values apart, as a conversion makes it."""
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    skeleton = onnx.ModelProto()
    skeleton.CopyFrom(model)
    del skeleton.graph.initializer[:]
    for tensor in model.graph.initializer:
        bare = onnx.TensorProto(name=tensor.name, dims=tensor.dims, data_type=tensor.data_type)
        skeleton.graph.initializer.append(bare)
    return replace(made, skeleton=skeleton, values=values)


def _compared(made: Exported, lowered: Exported, asked: Asked) -> Agreement:
    graph = made.skeleton.graph
    names = [value.name for value in graph.output]
    # The probabilities hide what is wrong with scores.
    softmax = [n for n in graph.node if n.op_type == "Softmax" and n.output[0] in names]
    ranked = [name for node in softmax for name in (node.output[0], node.input[0])] or names
    names = list(dict.fromkeys([*names, *(ranked if softmax else ())]))
    sessions = [_session(one.model, names) for one in (made, lowered)]

    def pairs() -> Iterator[tuple[Mapping[str, Array], Mapping[str, Array]]]:
        for feed in _feeds(made, asked):
            one, other = (session_values(session, names, feed) for session in sessions)
            yield one, other

    makers = made.graph.makers
    boxes = [ref.blob for ref in made.graph.outputs if makers[ref].layer.detects]
    of = "batch of images" if asked.images else "random input"
    # Softmax makes much of a small difference between great scores, which are judged themselves.
    unjudged = [*boxes, *(node.output[0] for node in softmax)]
    return agreement(names, unjudged, ranked, pairs(), of)


def _session(model: onnx.ModelProto, names: Sequence[str]) -> Any:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return open_session(with_outputs(copy, names), _PROVIDER, plain=False)


def _need_near(found: Agreement, asked: Asked) -> None:
    """Raise VerificationError for outputs that are not what they were."""
    if found.broken is not None:
        raise VerificationError(
            f"the output {found.broken!r} has numbers that are not finite in {asked.kind}; nothing "
            "is written"
        )
    least = LEAST[asked.kind] if asked.least is None else asked.least
    for one in found.outputs:
        if one.judged and one.least < least:
            raise VerificationError(
                f"in {asked.kind} the output {one.name!r} has a cosine of {one.least:.9g} with "
                f"that in float32; expected {least:g} or more (--least-cosine); nothing is written"
            )
