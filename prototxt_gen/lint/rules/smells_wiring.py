"""Smells about how layers are joined: what nobody reads, and what is overwritten."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prototxt_gen.diagnostics import Diagnostic, Severity
from prototxt_gen.graph.graph import Node, Ref
from prototxt_gen.graph.infer import field_span
from prototxt_gen.graph.phase import stages_of
from prototxt_gen.layers.base import MANY, Role
from prototxt_gen.lint.net import InPhase, Net
from prototxt_gen.lint.rule import smell


@smell("unused-top")
def unused_top(net: Net) -> Iterator[Diagnostic]:
    """A top is read by no layer, and seems not to be meant as an output.

    What no layer reads is an output of the net (net.cpp, Init). It is computed each time, and
    in training Caffe prints every value of it with each display. Most often a bottom was
    misspelt or a branch was cut off.

    It is reported for an input or a top of a data layer; for a part of a layer that has others
    and need not have this one, such as a part of a Slice; and in a net with a loss for layers
    with weights, which nothing then trains. Remove it; or, where it has to be there, let a
    layer of type "Silence" read it. The outputs of a deploy net are meant.
    """
    if stages_of(net.upgraded.root):
        return  # a stage may have the readers
    exists = Counter(
        (node.name, top.blob)
        for one in net.phases.values()
        for node in one.graph.nodes
        for top in node.tops
        if top.version == 0
    )
    unread: dict[tuple[str, str], list[Diagnostic | None]] = {}
    for one in net.phases.values():
        makers = one.graph.makers
        for ref in one.graph.outputs:
            # Layers that work in place do not change what the blob is for.
            node = makers[Ref(ref.blob, 0)]
            unread.setdefault((node.name, ref.blob), []).append(_unread(one, node, ref))
    for key, found in unread.items():
        if len(found) == exists[key] and found[0] is not None and all(found):
            yield found[0]


def _unread(one: InPhase, node: Node, ref: Ref) -> Diagnostic | None:
    """The finding that nobody reads a blob; None where it may be meant as an output."""
    layer, number, blob = node.layer, len(node.tops), ref.blob
    siblings = any(top in one.readers for top in node.tops if top.blob != blob)
    least, most = layer.arity().tops
    help = 'remove it, or let a layer of type "Silence" read it'
    if one.trains and number == 1 and layer.role is Role.PLAIN and not layer.parameter_free():
        message = f"no layer reads {blob!r}, so that no loss trains the layer"
        help = "read it, or remove the layer"
    elif ref.version > 0 or not one.readers:
        return None
    elif layer.role is Role.INPUT:
        message = f"no layer reads the input {blob!r}"
    elif layer.role is Role.SOURCE:
        message = f"no layer reads {blob!r}, which is read from the data"
    elif siblings and (layer.rearranges or least < number <= most < MANY):
        message = f"no layer reads {blob!r}, although other tops of the layer are read"
    else:
        return None
    index = next(i for i, top in enumerate(node.tops) if top.blob == blob)
    span = field_span(node, "top", index)
    return Diagnostic("unused-top", Severity.WARNING, message, span, node.name, help)


@smell("in-place-after-branch")
def in_place_after_branch(net: Net) -> Iterator[Diagnostic]:
    """A layer overwrites memory that another branch reads under another name.

    The tops of Reshape, Flatten and Split are not copies: they are the memory of the bottom
    under another name (ShareData in reshape_layer.cpp). A layer that works in place on such a
    top changes the bottom as well. Layers that read the bottom and come later in the file see
    the changed values; for layers with weights that come before, the gradient is computed of
    the changed values. Caffe refuses this only if both read the same name (`in-place-shared`).

    Give the top of the layer that works in place a name of its own.
    """
    for one in net.phases.values():
        yield from _overwritten_memory(one)


def _overwritten_memory(one: InPhase) -> Iterator[Diagnostic]:
    above, shared = _memory(one)
    if not shared:
        return
    readers: dict[Ref, list[tuple[int, Node, Ref]]] = {}  # of each memory
    for place, node in enumerate(one.graph.nodes):
        for ref in node.bottoms:
            readers.setdefault(_line(ref, above)[-1], []).append((place, node, ref))
    for position, node in enumerate(one.graph.nodes):
        for index, top in enumerate(node.tops):
            # Dropout changes nothing at inference.
            changes = node.in_place(index) and (one.trains or not node.layer.rearranges)
            line = _line(top, above) if changes else []
            if not line or line[-1] not in shared:
                continue
            for place, other, ref in readers[line[-1]]:
                makes_it = any(made in line for made in other.tops)
                if makes_it or other.layer.shares or top in _line(ref, above):
                    continue
                after = place > position
                if after or (one.trains and not other.layer.parameter_free()):
                    yield _overwritten(node, index, other, ref, after)
                    break


def _memory(one: InPhase) -> tuple[dict[Ref, Ref], set[Ref]]:
    """Of each blob in another's memory, that other one; and which memory has several names."""
    above: dict[Ref, Ref] = {}
    shared = set()
    for node in one.graph.nodes:
        for index, top in enumerate(node.tops):
            if node.layer.shares and node.bottoms:
                above[top] = node.bottoms[0]
                shared.add(_line(top, above)[-1])
            elif node.in_place(index):
                above[top] = node.bottoms[index]
    return above, shared


def _line(ref: Ref, above: dict[Ref, Ref]) -> list[Ref]:
    """A blob, the one that was in its memory before it, and so on up to the first."""
    line = [ref]
    while line[-1] in above:
        line.append(above[line[-1]])
    return line


def _overwritten(node: Node, index: int, other: Node, ref: Ref, after: bool) -> Diagnostic:
    what = "later reads the changed values" if after else "needs the old values for its gradient"
    message = (
        f"works in place on {node.tops[index].blob!r}, which is the memory of {ref.blob!r}: layer "
        f"{other.name!r} {what}"
    )
    span = field_span(node, "top", index)
    help = "give the top a name of its own"
    return Diagnostic("in-place-after-branch", Severity.WARNING, message, span, node.name, help)


@smell("in-place-backward")
def in_place_backward(net: Net) -> Iterator[Diagnostic]:
    """A layer that works in place overwrites values that a gradient is computed of.

    Backward, Sigmoid, TanH, ELU, Exp, LRN and Softmax read the top that they wrote, while Log,
    BNLL, Clip, Swish, a Power other than a line and a product read their bottom. If a layer
    overwrites these values in place - Dropout after a Sigmoid, or a Clip its own bottom - the
    gradient is wrong, and Caffe does not notice: the net trains, only worse. ReLU, PReLU,
    Dropout, BatchNorm, Scale and Bias keep what they need, or need only the sign.

    Give the top of the layer that works in place a name of its own. It is reported in nets
    with a loss.
    """
    for one in net.phases.values():
        if not one.trains:
            continue
        makers = one.graph.makers
        for node in one.graph.nodes:
            for index in range(len(node.tops)):
                if node.in_place(index):
                    yield from _lost(node, index, makers.get(node.bottoms[index]))


def _lost(node: Node, index: int, maker: Node | None) -> Iterator[Diagnostic]:
    blob = node.tops[index].blob
    if "bottom" in node.layer.backward:
        whose = "its own gradient is"
    elif maker is not None and "top" in maker.layer.backward:
        whose = f"the gradient of layer {maker.name!r} ({maker.type}) is"
    else:
        return
    message = f"works in place on {blob!r}, and overwrites values that {whose} computed of"
    span = field_span(node, "top", index)
    help = "give the top a name of its own"
    yield Diagnostic("in-place-backward", Severity.WARNING, message, span, node.name, help)
