from importlib import import_module

from prototxt_gen.layers import MODULES, layer_class
from prototxt_gen.layers.base import REGISTRY


def test_the_table_names_the_module_of_every_registered_type() -> None:
    for module in set(MODULES.values()):
        import_module(f"prototxt_gen.layers.{module}")
    registered = {name: cls.__module__.rsplit(".", 1)[1] for name, cls in REGISTRY.items()}
    assert registered == MODULES


def test_a_type_without_a_module_has_no_class() -> None:
    assert layer_class("NoSuchType") is None
