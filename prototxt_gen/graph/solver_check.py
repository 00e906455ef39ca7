"""What Caffe refuses in a solver, when it is built or at its first step.

A table of rules, each with the C++ source that it comes from. A rule without a refusal in
Caffe is a warning: the solver runs, but hardly as intended.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from prototxt_gen.diagnostics import Diagnostic, Severity, Sink
from prototxt_gen.document import Block
from prototxt_gen.formats.dialects import is_bvlc

TYPES = ("SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam")
POLICIES = ("fixed", "step", "exp", "inv", "multistep", "poly", "sigmoid")
TRAIN_NETS = ("net", "net_param", "train_net", "train_net_param")


class Rule(NamedTuple):
    """One rule: its name, source and field, and a check that describes the problem."""

    name: str
    source: str
    field: str
    find: Callable[[Block], str | None]
    severity: Severity = Severity.ERROR
    #: Whether forks may have more values than BVLC: for the solver of a fork it is a warning.
    open: bool = False


def check_solver(root: Block, sink: Sink, dialect: str = "bvlc") -> None:
    """Report the problems of a solver, once ``solver_type`` has been upgraded to ``type``."""
    for rule in RULES:
        message = rule.find(root)
        if message is None:
            continue
        field = root.field(rule.field)
        severity = Severity.WARNING if rule.open and not is_bvlc(dialect) else rule.severity
        span = field.span if field is not None else None
        text = f"{message} ({rule.source})"
        sink.diagnostics.append(Diagnostic(rule.name, severity, text, span))


def _train_net(solver: Block) -> str | None:
    found = [name for name in TRAIN_NETS if solver.has(name)]
    if len(found) == 1:
        return None
    return f"has {' and '.join(found) or 'no net'}; expected one of {', '.join(TRAIN_NETS)}"


def _test_iter(solver: Block) -> str | None:
    nets, found = _own_test_nets(solver), len(solver.all("test_iter"))
    generic = solver.has("net") or solver.has("net_param")
    if found == nets or (generic and found > nets):
        return None
    return f"has {found} test_iter for {nets} test nets; expected one for each"


def _test_state(solver: Block) -> str | None:
    states, nets = len(solver.all("test_state")), len(solver.all("test_iter"))
    if states in (0, nets):
        return None
    return f"has {states} test_state for {nets} test nets; expected none, or one for each"


def _test_interval(solver: Block) -> str | None:
    interval = solver.get("test_interval", int, 0)
    if interval > 0 or not (solver.has("test_iter") or _own_test_nets(solver)):
        return None
    return f"test_interval is {interval} with a test net; expected at least 1"


def _type(solver: Block) -> str | None:
    found = solver.get("type", str, "SGD")
    return None if found in TYPES else _no_such("type", found, TYPES)


def _policy(solver: Block) -> str | None:
    found = solver.get("lr_policy", str, "")
    return None if found in POLICIES else _no_such("lr_policy", found, POLICIES)


def _stepsize(solver: Block) -> str | None:
    size = solver.get("stepsize", int, 0)
    if solver.get("lr_policy", str, "") not in ("step", "sigmoid") or size > 0:
        return None
    return f"stepsize is {size}; the lr_policy requires at least 1"


def _gamma(solver: Block) -> str | None:
    gamma = solver.get("gamma", float, 0.0)
    if not _uses(solver, "gamma") or gamma >= 0:
        return None
    return f"gamma is {gamma:g}; expected 0 or more"


def _momentum(solver: Block) -> str | None:
    type, momentum = solver.get("type", str, "SGD"), solver.get("momentum", float, 0.0)
    if type not in ("AdaGrad", "RMSProp") or momentum == 0:
        return None
    return f"momentum is {momentum:g}; expected 0, since {type} has none"


def _rms_decay(solver: Block) -> str | None:
    decay = solver.get("rms_decay", float, 0.99)
    if solver.get("type", str, "SGD") != "RMSProp" or 0 <= decay < 1:
        return None
    return f"rms_decay is {decay:g}; expected 0 or more and less than 1"


def _regularization(solver: Block) -> str | None:
    found = solver.get("regularization_type", str, "L2")
    if found in ("L1", "L2") or solver.get("weight_decay", float, 0.0) == 0:
        return None
    return _no_such("regularization_type", found, ("L1", "L2"))


def _average_loss(solver: Block) -> str | None:
    return _at_least_one(solver, "average_loss")


def _iter_size(solver: Block) -> str | None:
    return _at_least_one(solver, "iter_size")


def _snapshot_prefix(solver: Block) -> str | None:
    if solver.get("snapshot", int, 0) == 0 or solver.has("snapshot_prefix"):
        return None
    return "snapshot without snapshot_prefix: snapshots take the name of the solver file"


def _lacking(solver: Block) -> str | None:
    policy = solver.get("lr_policy", str, "")
    wanted = _WANTED.get(policy, ())
    lacking = [name for name in wanted if not solver.has(name)]
    return f"lr_policy {policy!r} requires {' and '.join(lacking)}" if lacking else None


def _stepvalue(solver: Block) -> str | None:
    values = solver.get_list("stepvalue", int)
    if solver.get("lr_policy", str, "") != "multistep" or list(values) == sorted(set(values)):
        return None
    return f"stepvalue is {', '.join(map(str, values))}; expected ascending numbers"


def _adam(solver: Block) -> str | None:
    if solver.get("type", str, "SGD") != "Adam":
        return None
    for name, default in (("momentum", 0.0), ("momentum2", 0.999)):
        value = solver.get(name, float, default)
        if not 0 <= value < 1:
            return f"{name} is {value:g}; expected 0 or more and less than 1"
    return None


def _clip_gradients(solver: Block) -> str | None:
    if solver.get("clip_gradients", float, -1.0) != 0:
        return None
    return "clip_gradients is 0, so nothing is learned; expected more than 0, or -1 for no limit"


#: The fields without which the learning rate stays constant, or falls to 0.
_WANTED = {
    "step": ("gamma",),
    "exp": ("gamma",),
    "inv": ("gamma", "power"),
    "multistep": ("gamma", "stepvalue"),
    "poly": ("power", "max_iter"),
    "sigmoid": ("gamma",),
}
_WARNING = Severity.WARNING
_RATE = "sgd_solver.cpp, GetLearningRate"
_TESTS = "solver.cpp, InitTestNets"

RULES = (
    Rule("solver-train-net", "solver.cpp, InitTrainNet", "train_net", _train_net),
    Rule("solver-test-iter", _TESTS, "test_iter", _test_iter),
    Rule("solver-test-state", _TESTS, "test_state", _test_state),
    Rule("solver-test-interval", _TESTS, "test_interval", _test_interval),
    Rule("solver-type", "solver_factory.hpp, CreateSolver", "type", _type, open=True),
    Rule("solver-lr-policy", _RATE, "lr_policy", _policy, open=True),
    Rule("solver-stepsize", _RATE, "stepsize", _stepsize),
    Rule("solver-gamma", _RATE, "gamma", _gamma),
    Rule("solver-momentum", "sgd_solvers.hpp", "momentum", _momentum),
    Rule("solver-rms-decay", "sgd_solvers.hpp", "rms_decay", _rms_decay),
    Rule(
        "solver-regularization",
        "sgd_solver.cpp, Regularize",
        "regularization_type",
        _regularization,
    ),
    Rule("solver-average-loss", "solver.cpp, Init", "average_loss", _average_loss),
    Rule("solver-iter-size", "sgd_solver.cpp, Normalize", "iter_size", _iter_size),
    Rule("solver-rate-fields", _RATE, "lr_policy", _lacking, _WARNING),
    Rule("solver-stepvalue", _RATE, "stepvalue", _stepvalue, _WARNING),
    Rule("solver-adam", "adam_solver.cpp", "type", _adam, _WARNING),
    Rule(
        "solver-clip-gradients",
        "sgd_solver.cpp, ClipGradients",
        "clip_gradients",
        _clip_gradients,
        _WARNING,
    ),
    Rule(
        "solver-snapshot-prefix",
        "upgrade_proto.cpp, UpgradeSnapshotPrefixProperty",
        "snapshot",
        _snapshot_prefix,
        _WARNING,
    ),
)


def _own_test_nets(solver: Block) -> int:
    return len(solver.all("test_net")) + len(solver.all("test_net_param"))


def _uses(solver: Block, name: str) -> bool:
    return name in _WANTED.get(solver.get("lr_policy", str, ""), ())


def _at_least_one(solver: Block, name: str) -> str | None:
    value = solver.get(name, int, 1)
    return None if value >= 1 else f"{name} is {value}; expected at least 1"


def _no_such(field: str, found: str, known: tuple[str, ...]) -> str:
    what = f"{field} is {found!r}" if found else f"has no {field}"
    same = [name for name in known if name.casefold() == found.casefold()]
    wanted = f"{same[0]!r}" if same else f"one of {', '.join(known)}"
    return f"{what}; expected {wanted}"
