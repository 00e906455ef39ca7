"""Layers that a class in Python computes: they are known by their module and class.

A class here, or in a plug-in, describes such a layer as any other layer type is described:

    @python_layer("my.module", "MyLayer")
    class MyLayer(Python):
        def shapes(self, bottoms, tops): ...
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast, dataclass_transform

from prototxt_gen._records import record
from prototxt_gen.document import Block
from prototxt_gen.errors import PluginError, UnsupportedError
from prototxt_gen.layers.base import MANY, Arity, Sight, layer
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.parts.param_str import read_settings
from prototxt_gen.layers.parts.shapes import Shape

if TYPE_CHECKING:
    from prototxt_gen.layers.base import Array, Builder

P = TypeVar("P", bound="Python")

#: The classes that are described, by module and class in the prototxt.
PYTHON: dict[tuple[str, str], type[Python]] = {}


@layer("Python", param="python_param")
class Python(Base):
    """A layer computed by a class in Python, ``layer`` of ``module``."""

    module: str = ""
    layer: str = ""
    param_str: str = ""

    sight = Sight.OPEN

    @classmethod
    def read(cls, params: Block, layer: Block) -> Self:
        """The description of the class, where there is one."""
        if cls is Python:
            from prototxt_gen.layers import python_class

            key = params.get("module", str, ""), params.get("layer", str, "")
            described = python_class(*key)
            if described is not None:
                return cast(Self, described.read(params, layer))
        return super().read(params, layer)

    @property
    def label(self) -> str:
        """Module and class, as messages name them."""
        return f"{self.module}.{self.layer}"

    def settings(self) -> dict[str, Any]:
        """``param_str`` as YAML, of which most classes make a dict; a tuple becomes a list.

        Raises UnsupportedError where it is something else.
        """
        try:
            return read_settings(self.param_str)
        except ValueError as error:
            raise UnsupportedError(f"the param_str of {self.label} is {error}") from None

    def arity(self) -> Arity:
        """Whatever the class takes."""
        return Arity((0, MANY), (0, MANY))

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """Raises UnsupportedError: only the class knows them."""
        raise UnsupportedError(f"the tops of {self._unknown()}")

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """Raises UnsupportedError."""
        raise UnsupportedError(f"the values of {self._unknown()}")

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Raises UnsupportedError."""
        raise UnsupportedError(f"the operators of {self._unknown()}")

    def _unknown(self) -> str:
        return f"the Python layer {self.label} are not known; --plugin FILE can describe it"


@dataclass_transform(frozen_default=True, kw_only_default=False)
def python_layer(module: str, name: str) -> Callable[[type[P]], type[P]]:
    """Register a subclass of Python as the description of a class, ``name`` of ``module``.

    A plug-in may replace a description of this package, since the class itself is the user's.
    Raises PluginError for what is no subclass, and for a class that another plug-in describes.
    """

    def register(cls: type[P]) -> type[P]:
        if not (isinstance(cls, type) and issubclass(cls, Python)):
            raise PluginError(f"{cls.__name__!r} has to be a subclass of Python")
        made = record(cls)
        old = PYTHON.get((module, name))
        if old is None or _ours(old):
            PYTHON[module, name] = made
        elif not _ours(made):
            raise PluginError(f"{module}.{name} is described already by another plug-in")
        return made

    return register


def _ours(cls: type[Python]) -> bool:
    return cls.__module__.startswith("prototxt_gen.layers.")
