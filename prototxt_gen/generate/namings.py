"""The naming that a spec asks for."""

from __future__ import annotations

from prototxt_gen.generate import modules
from prototxt_gen.generate.naming import Msra, Naming
from prototxt_gen.generate.slashed import Shicai
from prototxt_gen.generate.spec import Spec


def naming(spec: Spec) -> Naming:
    """The naming of a spec."""
    if spec.naming == "torchvision":
        return modules.KINDS.get(spec.block, modules.Residual)(spec)
    return Shicai(spec) if spec.naming == "shicai" else Msra()
