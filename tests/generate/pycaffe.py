"""A stand-in for pycaffe, which is not installed here: NetSpec, layers and params.

It follows python/caffe/net_spec.py of BVLC's Caffe: what an attribute of a NetSpec is called, how
parameters find their message, and which values a message takes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from prototxt_gen.formats.binary.message import message_class

_LAYER = message_class("LayerParameter")
#: Which parameters a type has, as pycaffe finds it out: ``Pooling`` has ``pooling_param``.
_PARAMS = {
    field.message_type.name.removesuffix("Parameter"): field.name
    for field in _LAYER.DESCRIPTOR.fields
    if field.name.endswith("_param")
}


def _assign(message: Any, name: str, value: Any) -> None:
    repeated = hasattr(getattr(message, name), "extend")
    values = value if isinstance(value, list) else [value] if repeated else value
    if isinstance(values, list) and isinstance(values[0], dict):
        for one in values:
            item = getattr(message, name).add()
            for key, inner in one.items():
                _assign(item, key, inner)
    elif isinstance(values, list):
        getattr(message, name).extend(values)
    elif isinstance(values, dict):
        for key, inner in values.items():
            _assign(getattr(message, name), key, inner)
    elif isinstance(value, str) and message.DESCRIPTOR.fields_by_name[name].enum_type:
        raise TypeError(f"{name}: {value!r} is no number, as that of an enum has to be")
    else:
        setattr(message, name, value)


class Top:
    def __init__(self, fn: Function, n: int) -> None:
        self.fn, self.n = fn, n


class Function:
    def __init__(self, kind: str, inputs: tuple[Top, ...], params: dict[str, Any]) -> None:
        assert all(isinstance(one, Top) for one in inputs)
        self.kind, self.inputs, self.params = kind, inputs, params
        self.in_place = params.pop("in_place", False)
        self.tops = tuple(Top(self, n) for n in range(params.pop("ntop", 1)))

    def add_to(self, layers: dict[Function, Any], names: dict[Top, str]) -> None:
        if self in layers:
            return
        bottoms = []
        for one in self.inputs:
            one.fn.add_to(layers, names)
            bottoms.append(layers[one.fn].top[one.n])
        layer = _LAYER(name=names[self.tops[0]], type=self.kind, bottom=bottoms)
        layer.top.extend(bottoms if self.in_place else [names[top] for top in self.tops])
        for key, value in self.params.items():
            inner = getattr(layer, _PARAMS.get(self.kind, ""), None)
            known = inner is not None and key in inner.DESCRIPTOR.fields_by_name
            _assign(inner if known and not key.endswith("param") else layer, key, value)
        layers[self] = layer


class NetSpec:
    def __init__(self) -> None:
        self.tops: dict[str, Top] = {}

    def __setitem__(self, name: str, top: Top) -> None:
        self.tops[name] = top

    def __getitem__(self, name: str) -> Top:
        return self.tops[name]

    def to_proto(self) -> Any:
        layers: dict[Function, Any] = {}
        names = {top: name for name, top in self.tops.items()}
        for top in self.tops.values():
            top.fn.add_to(layers, names)
        return message_class("NetParameter")(layer=layers.values())


class _Layers:
    def __getattr__(self, kind: str) -> Any:
        def make(*inputs: Top, **params: Any) -> Any:
            tops = Function(kind, inputs, params).tops
            return tops[0] if len(tops) == 1 else tops

        return make


class _Params:
    def __getattr__(self, name: str) -> Any:
        return message_class(f"{name}Parameter")


@contextmanager
def installed() -> Iterator[None]:
    """The stand-in as the module ``caffe``."""
    made = ModuleType("caffe")
    vars(made).update(NetSpec=NetSpec, layers=_Layers(), params=_Params())
    before = sys.modules.get("caffe")
    sys.modules["caffe"] = made
    try:
        yield
    finally:
        del sys.modules["caffe"]
        if before is not None:
            sys.modules["caffe"] = before
