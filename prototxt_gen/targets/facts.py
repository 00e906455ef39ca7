"""What a runtime takes, from the YAML file of its name in this folder.

A file has ``title``; ``tried``, the version that ran our recorded cases, absent for what is
known from documents alone; ``opsets``, the least and the greatest; ``source``, where the ops are
listed; ``ops``, those taken, by domain and name where they are not ONNX's own.

``otherwise`` and ``because`` are said of ONNX's other ops and of those of the ``domains``; ops of
any other domain are not taken. With ``schemas`` no op is loaded that ONNX has at another opset
alone. ``functions`` tells of functions of a model's own; ``rest`` is the runtime that computes
what this one does not.

``rules`` are for what is more than a name. A rule has ``op``, one or several, a ``verdict``
(below), ``why``, perhaps ``change``, ``source`` where it is another, and conditions that must all
hold: fields of ``Rule``.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml

#: ``no``: the model will not load. ``differs``: it computes something else. ``may``: it may,
#: by the values. ``elsewhere``: another part of the runtime computes it, and slower.
Verdict = Literal["no", "differs", "may", "elsewhere"]
_BECAUSE = "it is not among the ops that it has"


@dataclass(frozen=True, slots=True)
class Rule:
    """What is said of an op where all that is given holds."""

    op: tuple[str, ...]
    verdict: Verdict
    why: str
    change: str = ""
    source: str = ""
    since: int = 0  #: from this opset on
    before: int = 0  #: at opsets less than this
    has: str = ""  #: an attribute
    output: int = 0  #: the number of an output that is read, or is one of the model's
    computed: int = 0  #: the number of an input that is no constant
    type: str = ""  #: the numbers of the first input, as ``double``
    axes_apart: int = 0  #: at least so many axes, not all neighbours
    spatial: tuple[int, ...] = ()  #: how many axes follow batch and channels
    negative: int = 0  #: the number of an input that is a constant below 0
    zero: int = 0  #: the number of an input that is a constant of 0
    above: tuple[int, ...] = ()  #: the number of an input that is a constant, and above what
    not_ones: str = ""  #: an attribute that is not 1 everywhere
    version: int = 0  #: the op's own version is this one or a later one
    after: str = ""  #: the op that makes the first input


@dataclass(frozen=True, slots=True)
class Target:
    """A runtime."""

    name: str
    title: str
    tried: str
    opsets: tuple[int, int]
    source: str
    ops: frozenset[str]
    rules: tuple[Rule, ...]
    otherwise: Verdict = "no"  #: what is said of an op that is not among them
    because: str = _BECAUSE
    domains: frozenset[str] = frozenset()
    schemas: bool = False
    functions: Literal["yes", "no", "may"] = "may"
    rest: str = ""
    note: str = ""  #: what is to be known before all


@cache
def target(name: str) -> Target:
    """What is known of a runtime."""
    text = (files("prototxt_gen.targets") / f"{name}.yml").read_text("utf-8")
    told = yaml.safe_load(text)
    least, most = told["opsets"]
    return Target(
        name,
        told["title"],
        told.get("tried", ""),
        (least, most),
        told["source"],
        frozenset(told["ops"].split()),
        tuple(_rule(one) for one in told.get("rules") or ()),
        told.get("otherwise", "no"),
        told.get("because", _BECAUSE),
        frozenset(told.get("domains", "").split()),
        told.get("schemas", False),
        told.get("functions", "may"),
        told.get("rest", ""),
        told.get("note", ""),
    )


def _rule(told: dict[str, Any]) -> Rule:
    known = {field.name for field in fields(Rule)}
    if not told.keys() <= known:
        raise ValueError(f"unknown in a rule: {', '.join(told.keys() - known)}")
    lists: dict[str, Any] = {
        name: tuple(told[name]) for name in ("spatial", "above") if name in told
    }
    return Rule(**{**told, **lists, "op": tuple(str(told["op"]).split())})
