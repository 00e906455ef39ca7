"""The solver that trains a net as its paper did."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, NamedTuple

from prototxt_gen.document import Block, Symbol
from prototxt_gen.errors import SpecError
from prototxt_gen.generate.sources import dataset
from prototxt_gen.generate.spec import Spec

Policy = Literal["steps", "poly"]

RESIDUAL = "arXiv 1512.03385"
PREACT_PAPER = "arXiv 1603.05027"
WIDE_PAPER = "arXiv 1605.07146"
RESNEXT_PAPER = "arXiv 1611.05431"
SE_PAPER = "arXiv 1709.01507"


class WarmUp(NamedTuple):
    """A lower learning rate for the first iterations."""

    iterations: int
    rate: float


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
    warm_up: WarmUp | None = None


#: 60 * 10^4 iterations; "divided by 10 when the error plateaus", which is about here.
IMAGENET = Schedule(RESIDUAL, 256, 600_000, (150_000, 300_000, 450_000), 0.1, 1e-4)
CIFAR = Schedule(
    f"{RESIDUAL}, section 4.2",
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
    paper=WIDE_PAPER,
    iterations=78_200,
    steps=(23_460, 46_920, 62_560),
    gamma=0.2,
    decay=5e-4,
    type="Nesterov",
)
#: 300 epochs of 391 iterations, steps after 150 and 225.
RESNEXT = CIFAR._replace(
    paper=RESNEXT_PAPER, iterations=117_300, steps=(58_650, 87_975), decay=5e-4
)


#: "We use 0.01 to warm up the training until the training error is below 80% (about 400
#: iterations)", for 110 layers and 1202.
DEEP = CIFAR._replace(warm_up=WarmUp(400, 0.01))
#: "For all CIFAR experiments we warm up", in the appendix.
PREACT = DEEP._replace(paper=PREACT_PAPER)
_DEEP = 110


def paper(spec: Spec) -> str:
    """The paper that a net is from."""
    return SE_PAPER if spec.se else _paper_of_blocks(spec)


def _paper_of_blocks(spec: Spec) -> str:
    if spec.cardinality > 1:
        return RESNEXT_PAPER
    if spec.width_factor > 1 or (spec.base_width > 64 and spec.form.bottleneck):
        return WIDE_PAPER
    return PREACT_PAPER if spec.form.preact else RESIDUAL


def schedule(spec: Spec) -> Schedule:
    """The schedule that a net is trained by: its own paper's if it has one for the data."""
    if spec.stem != "cifar":
        return IMAGENET
    plain = DEEP if spec.depth >= _DEEP else CIFAR
    others = {WIDE_PAPER: WIDE, RESNEXT_PAPER: RESNEXT, PREACT_PAPER: PREACT}
    return others.get(_paper_of_blocks(spec), plain)


def solver(
    spec: Spec,
    net: str,
    *,
    policy: Policy = "steps",
    batch: int | None = None,
    iterations: int | None = None,
    warm_up: bool = False,
) -> Block:
    """The fields of a solver for a net in the file ``net``.

    An iteration has ``batch`` images, and the net's data layer reads some of them at a time:
    the quotient is ``iter_size``. With other ``iterations`` the steps scale with them.
    ``warm_up``: the solver of the first iterations, whose last snapshot the other goes on from.
    Raises SpecError if the batch is not a multiple of the images read at a time, or the
    iterations are too few for the steps.
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
    rates = Block.of(base_lr=0.1)
    snapshot = plan.test_interval * 2
    if warm_up and policy != "steps":
        raise SpecError(f"is {policy}, but the warm-up has one rate", path="policy")
    if warm_up:
        longest, rate = _need_warm_up(spec, plan, iterations)
        rates, snapshot = Block.of(base_lr=rate, lr_policy="fixed"), longest
    elif policy == "poly":
        rates.add("lr_policy", "poly")
        rates.add("power", 1.0)
    else:
        rates.add("lr_policy", "multistep")
        rates.add("gamma", plan.gamma)
        rates.add("stepvalue", _steps(plan, longest))
    block = Block.of(
        net=net,
        test_iter=-(-plan.images_tested // data.test_batch),
        test_interval=plan.test_interval,
        test_initialization=False,
    )
    block.fields.extend(rates)
    block.add("max_iter", longest)
    block.add("iter_size", batch // data.train_batch if batch > data.train_batch else None)
    block.add("momentum", 0.9)
    block.add("weight_decay", plan.decay)
    block.add("type", plan.type if plan.type != "SGD" else None)
    block.add("display", 100)
    block.add("snapshot", snapshot)
    block.add("snapshot_prefix", spec.name.lower())
    block.add("solver_mode", Symbol("GPU"))
    return block


def _steps(plan: Schedule, longest: int) -> list[int]:
    """The iterations at which the rate falls; raises SpecError if they do not come apart."""
    steps = [step * longest // plan.iterations for step in plan.steps]
    if not all(low < high for low, high in pairwise((0, *steps, longest))):
        raise SpecError(
            f"is {longest}, too few for {len(steps)} steps of the learning rate; expected more, "
            "or the policy poly",
            path="max_iter",
        )
    return steps


def _need_warm_up(spec: Spec, plan: Schedule, iterations: int | None) -> WarmUp:
    if plan.warm_up is None:
        raise SpecError(f"{spec.name} has none in {plan.paper}", path="warm_up")
    if iterations is not None:
        raise SpecError(f"is that of the warm-up: {plan.warm_up.iterations}", path="max_iter")
    return plan.warm_up


def title(spec: Spec, *, policy: Policy = "steps", warm_up: bool = False) -> str:
    """A title: the net of the solver, and the source of its schedule, unless that is linear.

    It says if that is another net's, and if a warm-up comes first, since a solver has one rate
    policy.
    """
    plan, own = schedule(spec), paper(spec)
    name = " ".join(spec.name.split())  # a comment ends with its line
    if policy == "poly":
        return f"{name}, at a learning rate that falls linearly"
    found = f"{name}, by the schedule of {plan.paper}"
    if own not in plan.paper:
        found += f"\n# (the net is from {own})"
    if plan.warm_up is None:
        return found
    count, rate = plan.warm_up
    if warm_up:
        return f"{found}: the first {count} iterations, to warm up"
    snapshot = f"{spec.name.lower()}_iter_{count}.solverstate"
    return (
        f"{found}\n# The paper has a learning rate of {rate} for the first {count} iterations: "
        f"train with\n# `resnet-proto solver --warm-up` first, then with --snapshot={snapshot}"
    )
