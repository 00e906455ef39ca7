"""Rules of the category solver, found by ``graph.solver_check`` and by the upgrade."""

from __future__ import annotations

from prototxt_gen.diagnostics import Severity
from prototxt_gen.lint.rule import described

described(
    "solver",
    Severity.ERROR,
    {
        "solver-train-net": """
            The solver has no net to train, or several.

            Caffe stops when it builds the solver (solver.cpp, InitTrainNet).
            Give exactly one of `net`, `net_param`, `train_net` and `train_net_param`.
            """,
        "solver-test-iter": """
            There is not one `test_iter` for each net to test.

            Caffe stops when it builds the solver (solver.cpp, InitTestNets). With `net` or
            `net_param` more of them are fine: each tests that net once more.
            Give a `test_iter` for each `test_net` and `test_net_param`, and none without a test
            net.
            """,
        "solver-test-state": """
            There is not one `test_state` for each net to test.

            Caffe stops when it builds the solver (solver.cpp, InitTestNets).
            Give none, or as many as there are `test_iter`.
            """,
        "solver-test-interval": """
            There is a net to test, but no `test_interval`, or one below 1.

            Caffe stops when it builds the solver (solver.cpp, InitTestNets).
            Write after how many iterations to test: `test_interval: 1000`.
            """,
        "solver-type": """
            The `type` of the solver is unknown.

            Caffe stops when it creates the solver (solver_factory.hpp, CreateSolver). A fork may
            have more types: for a solver of one it is a warning.
            Write SGD, Nesterov, AdaGrad, RMSProp, AdaDelta or Adam, as they are spelt here.
            """,
        "solver-lr-policy": """
            The `lr_policy` is missing or unknown.

            Caffe builds the solver, and stops at the first step (sgd_solver.cpp,
            GetLearningRate). A fork may have more: for a solver of one it is a warning.
            Write fixed, step, exp, inv, multistep, poly or sigmoid.
            """,
        "solver-stepsize": """
            The `lr_policy` is step or sigmoid, and `stepsize` is missing or below 1.

            Caffe stops at the first step (sgd_solver.cpp, GetLearningRate).
            Write after how many iterations the learning rate falls: `stepsize: 100000`.
            """,
        "solver-gamma": """
            The `lr_policy` uses `gamma`, and it is negative.

            Caffe stops at the first step (sgd_solver.cpp, GetLearningRate).
            Write 0 or more, such as `gamma: 0.1`.
            """,
        "solver-momentum": """
            AdaGrad or RMSProp has a `momentum`.

            Caffe stops when it builds the solver (sgd_solvers.hpp): these types have none.
            Remove the `momentum`, or take another type.
            """,
        "solver-rms-decay": """
            `rms_decay` of RMSProp is negative, or not less than 1.

            Caffe stops when it builds the solver (sgd_solvers.hpp).
            Write 0 or more and less than 1; without the field it is 0.99.
            """,
        "solver-regularization": """
            `regularization_type` is neither L1 nor L2, and there is a `weight_decay`.

            Caffe stops at the first step (sgd_solver.cpp, Regularize).
            Write "L1" or "L2"; without the field it is L2.
            """,
        "solver-average-loss": """
            `average_loss` is below 1.

            Caffe stops when it builds the solver (solver.cpp, Init).
            Write over how many iterations the shown loss is averaged; without the field it is 1.
            """,
        "solver-iter-size": """
            `iter_size` is below 1.

            Caffe divides the gradients by it, so that the weights become NaN (sgd_solver.cpp,
            Normalize).
            Write how many batches are summed up for a step; without the field it is 1.
            """,
        "solver-type-twice": """
            The solver has both `type` and, from before 2015, `solver_type`.

            Caffe stops when it upgrades the solver (upgrade_proto.cpp, UpgradeSolverType).
            Keep the `type`.
            """,
        "solver-unknown-type": """
            `solver_type` has a value that Caffe cannot upgrade.

            Caffe stops when it upgrades the solver (upgrade_proto.cpp, UpgradeSolverType). In a
            text such a value is an `unknown-enum-value`.
            Write `type`, such as `type: "SGD"`, and no `solver_type`.
            """,
    },
)

described(
    "solver",
    Severity.WARNING,
    {
        "solver-rate-fields": """
            The `lr_policy` uses a field that is not given.

            Caffe takes the field's default, with which the learning rate stays constant, or falls
            to 0 (sgd_solver.cpp, GetLearningRate).
            Give the fields that the message names.
            """,
        "solver-stepvalue": """
            The numbers of `stepvalue` do not ascend.

            Caffe waits for one after the other, so that one that is not above the last has no
            iteration of its own (sgd_solver.cpp, GetLearningRate).
            Write them in ascending order, each once.
            """,
        "solver-adam": """
            `momentum` or `momentum2` of Adam is negative, or not less than 1.

            Caffe does not check them, but corrects its averages by 1 minus their powers
            (adam_solver.cpp).
            Write 0 or more and less than 1; usual are `momentum: 0.9` and `momentum2: 0.999`.
            """,
        "solver-clip-gradients": """
            `clip_gradients` is 0.

            Caffe then scales every gradient to 0, and nothing is learned (sgd_solver.cpp,
            ClipGradients).
            Write more than 0, or remove the field: without it there is no limit.
            """,
        "solver-snapshot-prefix": """
            The solver saves snapshots, and has no `snapshot_prefix`.

            Caffe names them after the solver's file, and saves them beside it (upgrade_proto.cpp,
            UpgradeSnapshotPrefixProperty).
            Write where they are to be: `snapshot_prefix: "snapshots/resnet50"`.
            """,
        "solver-old-net": """
            A net inside the solver has `layers`, of before 2015.

            Caffe upgrades nets in files of their own only: it finds no layer in this one, and
            trains a net without layers.
            Write `layer`, or put the net into a file of its own and name that: `net: "..."`.
            """,
    },
)
