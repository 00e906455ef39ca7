"""Every rule for solvers: a solver that it finds, and one beside it that is right."""

from __future__ import annotations

from pathlib import Path

import pytest

from prototxt_gen import api
from prototxt_gen.diagnostics import Severity, Sink, Source
from prototxt_gen.formats.reader import read_text
from prototxt_gen.formats.upgrade.net import upgrade_solver
from prototxt_gen.graph.solver_check import RULES, check_solver

NET = "net: 'n' "
FIXED = "base_lr: 1 lr_policy: 'fixed' "
TESTED = NET + FIXED + "test_iter: 1 test_interval: 1 "
SOUND = NET + FIXED

#: rule -> what it finds, and what it does not.
CASES: dict[str, tuple[list[str], list[str]]] = {
    "solver-train-net": (
        [
            FIXED,
            SOUND + "train_net: 'm'",
            SOUND + "net_param { }",
            FIXED + "test_net: 'm' test_iter: 1 test_interval: 1",
        ],
        [SOUND, FIXED + "train_net: 'm'", FIXED + "train_net_param { }", FIXED + "net_param { }"],
    ),
    "solver-test-iter": (
        [
            SOUND + "test_net: 'm' test_interval: 1",
            FIXED + "train_net: 'm' test_iter: 1 test_interval: 1",
            FIXED + "train_net: 'm' test_net: 'a' test_iter: [1, 2] test_interval: 1",
            SOUND + "test_net: 'a' test_net_param { } test_iter: 1 test_interval: 1",
        ],
        [
            SOUND,
            TESTED,
            TESTED + "test_iter: 1",
            TESTED + "test_net: 'm'",
            FIXED + "train_net: 'm' test_net: 'a' test_iter: 1 test_interval: 1",
        ],
    ),
    "solver-test-state": (
        [TESTED + "test_state { } test_state { }", SOUND + "test_state { }"],
        [TESTED + "test_state { }", TESTED + "test_iter: 1 test_state { } test_state { }"],
    ),
    "solver-test-interval": (
        [SOUND + "test_iter: 1", SOUND + "test_iter: 1 test_interval: -1"],
        [SOUND, TESTED, SOUND + "test_interval: 0"],
    ),
    "solver-type": (
        [
            SOUND + "type: 'sgd'",
            SOUND + "type: 'ADAM'",
            SOUND + "type: ''",
            SOUND + "type: 'LBFGS'",
        ],
        [
            SOUND,
            *(
                SOUND + f"type: '{t}'"
                for t in ("SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam")
            ),
        ],
    ),
    "solver-lr-policy": (
        [NET, NET + "lr_policy: 'Step'", NET + "lr_policy: 'stepearly'"],
        [
            SOUND,
            NET + "lr_policy: 'inv' gamma: 1 power: 1",
            NET + "lr_policy: 'exp' gamma: 1",
            NET + "lr_policy: 'poly' power: 1 max_iter: 9",
        ],
    ),
    "solver-stepsize": (
        [
            NET + "lr_policy: 'step' gamma: 1",
            NET + "lr_policy: 'step' gamma: 1 stepsize: 0",
            NET + "lr_policy: 'sigmoid' gamma: 1",
        ],
        [NET + "lr_policy: 'step' gamma: 1 stepsize: 1", SOUND],
    ),
    "solver-gamma": (
        [
            NET + f"lr_policy: '{p}' gamma: -1 stepsize: 1 power: 1 stepvalue: 1"
            for p in ("step", "exp", "inv", "multistep", "sigmoid")
        ],
        [SOUND + "gamma: -1", NET + "lr_policy: 'exp' gamma: 0"],
    ),
    "solver-momentum": (
        [SOUND + "type: 'AdaGrad' momentum: 0.9", SOUND + "type: 'RMSProp' momentum: 0.9"],
        [
            SOUND + "type: 'AdaGrad'",
            SOUND + "momentum: 0.9",
            SOUND + "type: 'AdaDelta' momentum: 0.9",
        ],
    ),
    "solver-rms-decay": (
        [SOUND + "type: 'RMSProp' rms_decay: 1", SOUND + "type: 'RMSProp' rms_decay: -0.1"],
        [SOUND + "type: 'RMSProp'", SOUND + "rms_decay: 2"],
    ),
    "solver-regularization": (
        [
            SOUND + "weight_decay: 1 regularization_type: 'L3'",
            SOUND + "weight_decay: 1 regularization_type: 'l1'",
        ],
        [SOUND + "weight_decay: 1 regularization_type: 'L1'", SOUND + "regularization_type: 'L3'"],
    ),
    "solver-average-loss": ([SOUND + "average_loss: 0"], [SOUND + "average_loss: 1"]),
    "solver-iter-size": ([SOUND + "iter_size: 0"], [SOUND + "iter_size: 2"]),
    "solver-rate-fields": (
        [
            NET + "lr_policy: 'step' stepsize: 1",
            NET + "lr_policy: 'exp'",
            NET + "lr_policy: 'inv' gamma: 1",
            NET + "lr_policy: 'multistep' gamma: 1",
            NET + "lr_policy: 'poly' max_iter: 9",
            NET + "lr_policy: 'sigmoid' stepsize: 1",
        ],
        [SOUND, NET + "lr_policy: 'multistep' gamma: 1 stepvalue: 1"],
    ),
    "solver-stepvalue": (
        [NET + "lr_policy: 'multistep' gamma: 1 stepvalue: [2, 1]"],
        [NET + "lr_policy: 'multistep' gamma: 1 stepvalue: [1, 2]", SOUND + "stepvalue: [2, 1]"],
    ),
    "solver-adam": (
        [SOUND + "type: 'Adam' momentum: 1", SOUND + "type: 'Adam' momentum2: 1"],
        [SOUND + "type: 'Adam' momentum: 0.9", SOUND + "momentum2: 1"],
    ),
    "solver-clip-gradients": ([SOUND + "clip_gradients: 0"], [SOUND + "clip_gradients: 35"]),
    "solver-snapshot-prefix": (
        [SOUND + "snapshot: 10"],
        [SOUND + "snapshot: 10 snapshot_prefix: 's'", SOUND + "snapshot: 0"],
    ),
}
FINDS = [(rule, text) for rule, (texts, _) in CASES.items() for text in texts]
PASSES = [(rule, text) for rule, (_, texts) in CASES.items() for text in texts]


def found(text: str) -> dict[str, Severity]:
    return {d.rule: d.severity for d in api.validate(Source(text.encode()))}


@pytest.mark.parametrize(("rule", "text"), FINDS)
def test_a_rule_finds_it(rule: str, text: str) -> None:
    severity = next(one.severity for one in RULES if one.name == rule)
    assert found(text)[rule] is severity


@pytest.mark.parametrize(("rule", "text"), PASSES)
def test_a_rule_passes_over_it(rule: str, text: str) -> None:
    assert found(text) == {}


def test_every_rule_has_its_cases_and_a_source() -> None:
    assert [rule.name for rule in RULES] == list(CASES)
    assert all(".cpp" in rule.source or ".hpp" in rule.source for rule in RULES)


def test_the_old_form_of_the_type_counts() -> None:
    assert "solver-momentum" in found(SOUND + "solver_type: ADAGRAD momentum: 0.9")


def test_a_fork_may_have_more_types_and_policies() -> None:
    source = Source((NET + "lr_policy: 'plateau' type: 'LARS'").encode())
    solver = upgrade_solver(read_text(source, Sink(source)).root, Sink(source))
    for dialect, severity in (("bvlc", Severity.ERROR), ("nvcaffe", Severity.WARNING)):
        sink = Sink(source)
        check_solver(solver, sink, dialect)
        assert {d.rule: d.severity for d in sink.diagnostics} == {
            "solver-type": severity,
            "solver-lr-policy": severity,
        }


def test_other_peoples_solvers_are_right(corpus: Path) -> None:
    """All but one, which is of a fork of Fast R-CNN's that nobody ever published."""
    wrong, solvers = [], 0
    for file in sorted(corpus.rglob("*.prototxt")):
        source = Source(file.read_bytes(), str(file))
        root = read_text(source, Sink(source)).root
        if root.type is not None and root.type.name == "SolverParameter":
            solvers += 1
            if any(d.severity is Severity.ERROR for d in api.validate(source)):
                wrong.append(file.name)
    assert solvers > 90
    assert wrong == ["lenet_stepearly_solver.prototxt"]


def test_our_own_solvers_are_right() -> None:
    from prototxt_gen.generate.solver import solver
    from prototxt_gen.generate.spec import Spec
    from prototxt_gen.generate.zoo import preset

    for name in ("resnet50", "wrn-28-10"):
        for policy in ("steps", "poly"):
            sink = Sink()
            check_solver(solver(Spec.of(preset(name)), "n", policy=policy), sink)  # type: ignore[arg-type]
            assert sink.diagnostics == []
