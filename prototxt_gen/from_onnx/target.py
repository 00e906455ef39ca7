"""The Caffes that a net can be written for, and what each of them lacks."""

from __future__ import annotations

from dataclasses import dataclass

from prototxt_gen.formats.schema import schema
from prototxt_gen.from_onnx import TARGETS
from prototxt_gen.layers import layer_class
from prototxt_gen.layers.parts.forks import BVLC, FORKS


@dataclass(frozen=True, slots=True)
class Target:
    """A Caffe to write for; ``name`` is a key of TARGETS."""

    name: str = "bvlc"

    @property
    def dialect(self) -> str:
        """The dialect that its files are in."""
        return TARGETS[self.name]

    def has_field(self, message: str, field: str) -> bool:
        """Whether its caffe.proto has a field."""
        known = schema(self.name)
        return message in known and field in known.message(message).fields

    def has(self, type: str) -> bool:
        """Whether it has a layer type, with its parameter message."""
        if type not in BVLC and self.dialect not in FORKS.get(type, ()):
            return False
        cls = layer_class(type)
        return cls is None or cls.param is None or self.has_field("LayerParameter", cls.param)
