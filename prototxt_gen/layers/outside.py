"""Layer types from outside the package: from a user's file, or from an installed package.

Such a file imports what it needs from ``prototxt_gen.layers.base`` and registers its types
with ``@layer``, or classes of Python layers with ``@python_layer``, as ours do; only facets are
called on them. docs/layer.md is the how-to.
A package names its module as an entry point of the group ``resnet_proto.layers``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache, wraps
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from inspect import isgenerator
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from prototxt_gen._words import plural
from prototxt_gen.errors import PluginError, PrototxtError
from prototxt_gen.layers import PYTHON_CLASSES
from prototxt_gen.layers.base import REGISTRY, Layer
from prototxt_gen.layers.python import PYTHON

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "resnet_proto.layers"  #: the entry points of packages with layer types

Key = str | tuple[str, str]  #: a layer type, or the module and class of a Python layer

_loaded: dict[str, tuple[str, ...]] = {}  # the types of each file, by its real path
_finished: set[str] = set()  # the entry points that were loaded
_HOUSE = __name__.rpartition(".")[0] + "."


def load_file(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Run a Python file; return the names of the layer types that it registers.

    A file that was loaded before is not run again. Raises PluginError for a file that fails
    or registers nothing, and OSError for one that cannot be read; then none of its types is
    registered.
    """
    name = os.fspath(path)
    place = os.path.realpath(name)
    if place not in _loaded:
        with open(place, "rb"):  # for a message about the file rather than an import
            pass
        spec = spec_from_file_location(f"_resnet_proto_plugin_{len(_loaded)}", place)
        if spec is None or spec.loader is None:
            raise PluginError(f"{name}: not a Python file; expected a name that ends in .py")
        module = module_from_spec(spec)
        run = spec.loader.exec_module
        with _registering(name) as types:
            # Dataclasses look their annotations up in the module of a class.
            sys.modules[spec.name] = module
            try:
                run(module)
            except BaseException:
                del sys.modules[spec.name]
                raise
        if not types:
            raise PluginError(f"{name}: registers no layer type; expected a class with @layer")
        _loaded[place] = tuple(types)
    return _loaded[place]


def loaded_files() -> tuple[str, ...]:
    """The real paths of all files that were loaded, in their order: for another process."""
    return tuple(_loaded)


def load_installed() -> None:
    """Load the layer types of installed packages, each once; raises PluginError if one fails."""
    for point in _points(tuple(sys.path)):
        package = point.dist.name if point.dist else point.value
        name = f"{package} (entry point {point.name!r})"
        if name not in _finished:
            with _registering(name):
                point.load()
            _finished.add(name)


@lru_cache(1)
def _points(places: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """The entry points of the packages in some places, which are read once."""
    from importlib.metadata import entry_points

    return tuple(entry_points(group=GROUP))


@contextmanager
def _registering(plugin: str) -> Iterator[list[str]]:
    """Collect what the block registers; if it fails, register nothing."""
    before = _registered()
    types: list[str] = []
    try:
        yield types
        new = _from_outside(before)
        types += [".".join(key) if isinstance(key, tuple) else key for key in new]
        for cls, name in {new[key]: name for key, name in zip(new, types, strict=True)}.items():
            _guard(cls, cls.type if name in REGISTRY else name, plugin)
    except Exception as error:
        for key in _from_outside(before):
            _forget(key, before)
        words = error.message if isinstance(error, PrototxtError) else _words(error)
        raise PluginError(f"{plugin}{_line(error, plugin)}: {words}") from error


def _registered() -> dict[Key, type[Layer]]:
    """The layer types by name, and the classes of Python layers by module and class."""
    # A plug-in may replace a class of ours, which must be there to be put back.
    for module in PYTHON_CLASSES.values():
        import_module(_HOUSE + module)
    found: dict[Key, type[Layer]] = dict(REGISTRY.items())
    found.update(PYTHON.items())
    return found


def _from_outside(before: Mapping[Key, type[Layer]]) -> dict[Key, type[Layer]]:
    """What was registered since then, except for our own, imported in the meantime."""
    return {
        key: cls
        for key, cls in _registered().items()
        if before.get(key) is not cls and not cls.__module__.startswith(_HOUSE)
    }


def _forget(key: Key, before: Mapping[Key, type[Layer]]) -> None:
    """Put what was registered before in the place of a layer type, or nothing."""
    found: dict[Any, Any] = PYTHON if isinstance(key, tuple) else REGISTRY
    if key in before:
        found[key] = before[key]
    else:
        del found[key]


def _guard(cls: type[Layer], label: str, plugin: str) -> None:
    """Name the plug-in in any exception that leaves one of its facets, inherited ones included."""
    own = list(takewhile(lambda base: not base.__module__.startswith(_HOUSE), cls.__mro__))
    for name in {name for base in own for name in vars(base)}:
        if name.startswith("_") or not callable(getattr(Layer, name, None)):
            continue
        value = next(vars(base)[name] for base in own if name in vars(base))
        kind = type(value)
        if kind in (classmethod, staticmethod):
            setattr(cls, name, kind(_guarded(value.__func__, name, label, plugin)))
        elif callable(value):
            setattr(cls, name, _guarded(value, name, label, plugin))


#: The facets that answer for each of some things, and how many these are.
_EACH: dict[str, Callable[[Sequence[Any]], int]] = {
    "shapes": lambda args: int(args[2]),
    "run": lambda args: int(args[3]),
    "weights": lambda args: len(args[1]),
}


def _guarded(facet: Callable[..., Any], name: str, type: str, plugin: str) -> Callable[..., Any]:
    @contextmanager
    def guard() -> Iterator[None]:
        try:
            yield
        except PrototxtError:
            raise
        except Exception as error:
            where = _line(error, plugin)
            raise PluginError(
                f"{plugin}{where}: {name!r} of layer type {type!r} failed: {_words(error)}"
            ) from error

    @wraps(facet)
    def call(*args: Any, **kwargs: Any) -> Any:
        with guard():
            found = facet(*args, **kwargs)
            if name in _EACH and not kwargs and len(found) != _EACH[name](args):
                raise ValueError(
                    f"gave {plural(len(found), 'answer')}; expected {_EACH[name](args)}"
                )
            # A generator raises only while its values are taken.
            return iter(list(found)) if isgenerator(found) else found

    return call


def _line(error: BaseException, plugin: str) -> str:
    """The line of the plug-in's file that raised an exception, as ``:12``; else empty."""
    found = ""
    if isinstance(error, SyntaxError) and error.lineno:
        return f":{error.lineno}"
    trace = error.__traceback__
    while trace is not None:
        if os.path.realpath(trace.tb_frame.f_code.co_filename) == os.path.realpath(plugin):
            found = f":{trace.tb_lineno}"
        trace = trace.tb_next
    return found


def _words(error: BaseException) -> str:
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
