"""The solver that trains a net as its paper did, or as a user says."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from prototxt_gen.document import Block, Symbol
from prototxt_gen.errors import SpecError
from prototxt_gen.generate.checks import is_number, need_fraction, need_positive, shown
from prototxt_gen.generate.further import further_fields
from prototxt_gen.generate.schedules import Schedule, WarmUp, paper, schedule
from prototxt_gen.generate.sources import dataset
from prototxt_gen.generate.spec import Spec

Policy = Literal["steps", "poly", "fixed"]
TYPES = ("SGD", "Nesterov", "Adam")
_ADAMS_RATE = 0.001  #: arXiv 1412.6980
#: What schedules say; the first are wishes of that name.
_SCHEDULED = (
    *("base_lr", "momentum", "weight_decay", "type"),
    *("lr_policy", "gamma", "stepvalue", "max_iter", "iter_size", "regularization_type"),
)
_MOST_ITERATIONS = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a user wants otherwise than the schedule; None, and an empty text, want nothing.

    ``epochs`` of ``train_images`` give the iterations, ``test_images`` the length of a test.
    ``fields`` are any others of the solver, which replace those of the same name.
    """

    schedule: str = ""
    base_lr: float | None = None
    power: float | None = None
    momentum: float | None = None
    weight_decay: float | None = None
    type: str | None = None
    train_images: int | None = None
    test_images: int | None = None
    epochs: float | None = None
    test_interval: int | None = None
    display: int | None = None
    snapshot: int | None = None
    snapshot_prefix: str | None = None
    fields: tuple[tuple[str, object], ...] = ()


def solver(
    spec: Spec,
    net: str,
    *,
    policy: Policy = "steps",
    batch: int | None = None,
    iterations: int | None = None,
    warm_up: bool = False,
    wishes: Wishes | None = None,
) -> Block:
    """The fields of a solver for a net in the file ``net``.

    An iteration has ``batch`` images, and the net's data layer reads some of them at a time:
    the quotient is ``iter_size``. With other ``iterations`` the steps scale with them.
    ``warm_up``: the solver of the first iterations, whose last snapshot the other goes on from.
    Raises SpecError if the batch is not a multiple of the images read at a time, the
    iterations are too few for the steps, or a wish is of no effect.
    """
    wishes = wishes or Wishes()
    _need_numbers(wishes)
    plan = schedule(spec, wishes.schedule)
    data = dataset(spec)
    batch = _batch(spec, plan, batch)
    iterations = _iterations(spec, batch, iterations, wishes)
    longest = plan.iterations if iterations is None else iterations
    snapshot = plan.test_interval * 2
    if warm_up:
        longest, rate = _need_warm_up(spec, plan, iterations, policy, wishes)
        rates, snapshot = Block.of(base_lr=rate, lr_policy="fixed"), longest
    else:
        rates = _rates(plan, policy, longest, wishes)
    tested = wishes.test_images or plan.images_tested
    kind = wishes.type or plan.type
    block = Block.of(
        net=net,
        test_iter=-(-tested // data.test_batch),
        test_interval=wishes.test_interval or plan.test_interval,
        test_initialization=False,
    )
    block.fields.extend(rates)
    block.add("max_iter", longest)
    block.add("iter_size", batch // data.train_batch if batch > data.train_batch else None)
    block.add("momentum", 0.9 if wishes.momentum is None else wishes.momentum)
    block.add("momentum2", 0.999 if kind == "Adam" else None)
    block.add("weight_decay", plan.decay if wishes.weight_decay is None else wishes.weight_decay)
    block.add("type", kind if kind != "SGD" else None)
    block.add("display", 100 if wishes.display is None else wishes.display)
    block.add("snapshot", snapshot if wishes.snapshot is None else wishes.snapshot)
    block.add("snapshot_prefix", wishes.snapshot_prefix or spec.name.lower())
    block.add("solver_mode", Symbol("GPU"))
    further = further_fields(wishes.fields, "SolverParameter", spec.dialect, "field")
    block.remove(*(field.name for field in further))
    block.fields.extend(further.fields)
    return block


def _need_numbers(wishes: Wishes) -> None:
    for path in ("base_lr", "power"):
        if getattr(wishes, path) is not None:
            need_positive(path, getattr(wishes, path))
    for path in ("momentum", "weight_decay"):
        if getattr(wishes, path) is not None:
            need_fraction(path, getattr(wishes, path))


def _batch(spec: Spec, plan: Schedule, batch: int | None) -> int:
    batch, read = plan.batch if batch is None else batch, dataset(spec).train_batch
    if batch % read:
        raise SpecError(
            f"{batch} is not a multiple of the {read} images that are read at a time; fewer are "
            "read with --train-batch (train_batch in a spec)",
            path="batch_size",
        )
    return batch


def _iterations(spec: Spec, batch: int, iterations: int | None, wishes: Wishes) -> int | None:
    """The iterations that were asked for, by their number or by epochs; None for the paper's."""
    if wishes.epochs is None:
        return iterations
    if iterations is not None:
        raise SpecError("and max_iter say the same thing; expected one of them", path="epochs")
    if not (is_number(wishes.epochs) and wishes.epochs > 0):
        raise SpecError(f"is {shown(wishes.epochs)}; expected more than 0", path="epochs")
    images = wishes.train_images or dataset(spec).train_images
    found = max(1, round(wishes.epochs * images / batch))
    if found > _MOST_ITERATIONS:
        raise SpecError(f"make {found} iterations; expected at most 2^31 - 1", path="epochs")
    return found


def _rates(plan: Schedule, policy: Policy, longest: int, wishes: Wishes) -> Block:
    rate = _ADAMS_RATE if wishes.type == "Adam" else plan.rate
    rates = Block.of(base_lr=rate if wishes.base_lr is None else wishes.base_lr)
    if wishes.power is not None and policy != "poly":
        raise SpecError(f"changes nothing with the policy {policy}", path="power")
    if policy == "poly":
        rates.add("lr_policy", "poly")
        rates.add("power", 1.0 if wishes.power is None else wishes.power)
    elif policy == "fixed":
        rates.add("lr_policy", "fixed")
    else:
        rates.add("lr_policy", "multistep")
        rates.add("gamma", plan.gamma)
        rates.add("stepvalue", _steps(plan, longest))
    return rates


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


def _need_warm_up(
    spec: Spec, plan: Schedule, iterations: int | None, policy: Policy, wishes: Wishes
) -> WarmUp:
    if policy != "steps":
        raise SpecError(f"is {policy}, but the warm-up has one rate", path="policy")
    if plan.warm_up is None:
        raise SpecError(f"{spec.name} has none in {plan.paper}", path="warm_up")
    if iterations is not None:
        raise SpecError(f"is that of the warm-up: {plan.warm_up.iterations}", path="max_iter")
    for path, wish in (("base_lr", wishes.base_lr), ("power", wishes.power)):
        if wish is not None:
            raise SpecError(f"is that of the warm-up: {plan.warm_up.rate}", path=path)
    return plan.warm_up


def title(
    spec: Spec,
    *,
    policy: Policy = "steps",
    warm_up: bool = False,
    wishes: Wishes | None = None,
    epochs: str = "",
) -> str:
    """A title: the net of the solver, and the source of its schedule, unless the policy differs.

    It says if that is another net's, and if a warm-up comes first, since a solver has one rate
    policy. ``epochs`` is a line about the length.
    """
    wishes = wishes or Wishes()
    plan, own = schedule(spec, wishes.schedule), paper(spec)
    name = " ".join(spec.name.split())  # a comment ends with its line
    last = f"\n# {epochs}" if epochs else ""
    if policy == "poly":
        power = wishes.power or 1
        falls = "linearly" if power == 1 else f"to 0, by the power {power:g}"
        return f"{name}, at a learning rate that falls {falls}{last}"
    if policy == "fixed":
        return f"{name}, at one learning rate{last}"
    others = _others(wishes)
    found = f"{name}, by the schedule of {plan.paper}" + (f", but for {others}" if others else "")
    if own not in plan.paper:
        found += f"\n# (the net is from {own})"
    if plan.warm_up is None:
        return found + last
    count, rate = plan.warm_up
    if warm_up:
        return f"{found}: the first {count} iterations, to warm up{last}"
    snapshot = f"{wishes.snapshot_prefix or spec.name.lower()}_iter_{count}.solverstate"
    return (
        f"{found}\n# The paper has a learning rate of {rate} for the first {count} iterations: "
        f"train with\n# `resnet-proto solver --warm-up` first, then with --snapshot={snapshot}"
        f"{last}"
    )


def _others(wishes: Wishes) -> str:
    """The fields of a schedule for which a user has others."""
    names = [name for name in _SCHEDULED[:4] if getattr(wishes, name) is not None]
    names += [name for name, _ in wishes.fields if name in _SCHEDULED]
    return ", ".join(dict.fromkeys(names))


def length(spec: Spec, found: Block, wishes: Wishes) -> str:
    """How many epochs a solver's iterations are, if the user speaks of epochs or images."""
    if wishes.epochs is None and wishes.train_images is None:
        return ""
    images = wishes.train_images or dataset(spec).train_images
    batch = dataset(spec).train_batch * found.get("iter_size", int, 1)
    count = found.get("max_iter", int, 0)
    return (
        f"{count} iterations of {batch} images are {count * batch / images:.4g} epochs of {images}"
    )
