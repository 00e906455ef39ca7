"""The solver that trains a net as its paper did."""

from __future__ import annotations

from typing import Literal, NamedTuple

from prototxt_gen.document import Block, Symbol
from prototxt_gen.errors import SpecError
from prototxt_gen.generate.spec import Spec
from prototxt_gen.generate.training import dataset

Policy = Literal["steps", "poly"]


class Schedule(NamedTuple):
    """The training schedule of a net; an iteration is a whole batch."""

    paper: str
    batch: int
    iterations: int
    steps: tuple[int, ...]
    gamma: float
    decay: float
    type: str = "SGD"
    images_tested: int = 50_000
    test_interval: int = 5_000


#: 60 * 10^4 iterations; "divided by 10 when the error plateaus", which is about here.
IMAGENET = Schedule("arXiv 1512.03385", 256, 600_000, (150_000, 300_000, 450_000), 0.1, 1e-4)
CIFAR = Schedule(
    "arXiv 1512.03385, section 4.2",
    128,
    64_000,
    (32_000, 48_000),
    0.1,
    1e-4,
    images_tested=10_000,
    test_interval=1_000,
)
#: 200 epochs of 391 iterations, steps after 60, 120 and 160.
WIDE = CIFAR._replace(
    paper="arXiv 1605.07146",
    iterations=78_200,
    steps=(23_460, 46_920, 62_560),
    gamma=0.2,
    decay=5e-4,
    type="Nesterov",
)
#: 300 epochs of 391 iterations, steps after 150 and 225.
RESNEXT = CIFAR._replace(
    paper="arXiv 1611.05431", iterations=117_300, steps=(58_650, 87_975), decay=5e-4
)


def schedule(spec: Spec) -> Schedule:
    """The schedule of the paper that a net is from."""
    if spec.stem != "cifar":
        return IMAGENET
    if spec.width_factor > 1:
        return WIDE
    return RESNEXT if spec.cardinality > 1 else CIFAR


def solver(
    spec: Spec,
    net: str,
    *,
    policy: Policy = "steps",
    batch: int | None = None,
    iterations: int | None = None,
) -> Block:
    """The fields of a solver for a net in the file ``net``.

    An iteration has ``batch`` images, and the net's data layer reads some of them at a time:
    the quotient is ``iter_size``. With other ``iterations`` the steps scale with them.
    Raises SpecError if the batch is not a multiple of the images read at a time.
    """
    plan = schedule(spec)
    data = dataset(spec)
    batch = plan.batch if batch is None else batch
    if batch % data.train_batch:
        raise SpecError(
            f"{batch} is not a multiple of the {data.train_batch} images that are read at a time",
            path="batch_size",
        )
    longest = plan.iterations if iterations is None else iterations
    block = Block.of(
        net=net,
        test_iter=-(-plan.images_tested // data.test_batch),
        test_interval=plan.test_interval,
        test_initialization=False,
        base_lr=0.1,
    )
    if policy == "poly":
        block.add("lr_policy", "poly")
        block.add("power", 1.0)
    else:
        block.add("lr_policy", "multistep")
        block.add("gamma", plan.gamma)
        block.add("stepvalue", [step * longest // plan.iterations for step in plan.steps])
    block.add("max_iter", longest)
    block.add("iter_size", batch // data.train_batch if batch > data.train_batch else None)
    block.add("momentum", 0.9)
    block.add("weight_decay", plan.decay)
    block.add("type", plan.type if plan.type != "SGD" else None)
    block.add("display", 100)
    block.add("snapshot", plan.test_interval * 2)
    block.add("snapshot_prefix", spec.name.lower())
    block.add("solver_mode", Symbol("GPU"))
    return block


def title(spec: Spec) -> str:
    """A title: the net of the solver, and the source of its schedule."""
    return f"{spec.name}, by the schedule of {schedule(spec).paper}"
