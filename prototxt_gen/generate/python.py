"""Values as Python expressions, as programs for pycaffe have them: the filter ``python``."""

from __future__ import annotations

from collections.abc import Mapping

from prototxt_gen.document import Symbol


def python(value: object, owner: str = "") -> str:
    """A value as a Python expression.

    The name of an enum's value is looked up in the message of ``owner``, a layer's type or a
    field: ``MAX`` of Pooling is ``P.Pooling.MAX``.
    """
    if isinstance(value, Symbol):
        return f"P.{_message(owner)}.{value}" if owner else repr(str(value))
    if isinstance(value, Mapping):
        items = (f"{name}={python(one, _owner(name, owner))}" for name, one in value.items())
        return f"dict({', '.join(items)})"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(python(one, owner) for one in value)}]"
    if isinstance(value, (bool, int, float, str, bytes)) or value is None:
        return repr(value)
    raise TypeError(f"python takes a value of a layer, found {type(value).__name__}")


def _owner(name: str, owner: str) -> str:
    """The owner of the values of a field that is a message."""
    return name if name.endswith(("_param", "_filler")) or name == "filler" else owner


def _message(owner: str) -> str:
    """The name that pycaffe has for a message: ``Pooling`` for ``pooling_param``."""
    if owner == "filler" or owner.endswith("_filler"):
        return "Filler"
    if not owner.endswith("_param"):
        return owner
    words = owner.removesuffix("_param").split("_")
    return "".join(word.title() for word in words)
