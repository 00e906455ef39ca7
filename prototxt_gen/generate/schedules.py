"""The schedules that papers train their nets by."""

from __future__ import annotations

from typing import NamedTuple

from prototxt_gen.generate.forms import DENSE_PAPER, PREACT_PAPER, RESIDUAL
from prototxt_gen.generate.spec import Spec

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
    rate: float = 0.1


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
#: Appendix: "divided by 10 at 30 and 60 epochs" of 5,005 iterations, 90 in its authors' code.
PREACT_IMAGENET = IMAGENET._replace(
    paper=PREACT_PAPER, iterations=450_450, steps=(150_150, 300_300)
)
#: Batches of 1024 at a rate of 0.6, "decreased by a factor of 10 every 30 epochs", for 100
#: epochs of 1,251 iterations. The decay is ResNet's.
SENET = IMAGENET._replace(
    paper=SE_PAPER,
    batch=1024,
    iterations=125_100,
    steps=(37_530, 75_060, 112_590),
    test_interval=1_250,
    rate=0.6,
)
#: "90 epochs with a batch size of 256", a rate that is "lowered by 10 times at epoch 30 and 60".
DENSE = PREACT_IMAGENET._replace(paper=DENSE_PAPER, type="Nesterov")
_DEEP = 110

#: By the name that a user gives; ``own`` is that of the net's own paper where it has one.
SCHEDULES = {
    "resnet": IMAGENET,
    "preact": PREACT_IMAGENET,
    "senet": SENET,
    "densenet": DENSE,
    "resnet-cifar": CIFAR,
    "resnet-cifar-deep": DEEP,
    "preact-cifar": PREACT,
    "wide-cifar": WIDE,
    "resnext-cifar": RESNEXT,
}


def paper(spec: Spec) -> str:
    """The paper that a net is from."""
    return SE_PAPER if spec.se else _paper_of_blocks(spec)


def _paper_of_blocks(spec: Spec) -> str:
    if spec.cardinality > 1:
        return RESNEXT_PAPER
    if spec.width_factor > 1 or (spec.base_width > 64 and spec.form.bottleneck):
        return WIDE_PAPER
    return spec.form.paper


def schedule(spec: Spec, name: str = "") -> Schedule:
    """The schedule of a name; without one, that of the net's own paper for CIFAR, or ResNet's.

    With ``own`` also that of the net's own paper for ImageNet.
    """
    if name in SCHEDULES:
        return SCHEDULES[name]
    if spec.stem != "cifar":
        own = {SE_PAPER: SENET, PREACT_PAPER: PREACT_IMAGENET, DENSE_PAPER: DENSE}
        return own.get(paper(spec), IMAGENET) if name == "own" else IMAGENET
    plain = DEEP if spec.depth >= _DEEP else CIFAR
    others = {WIDE_PAPER: WIDE, RESNEXT_PAPER: RESNEXT, PREACT_PAPER: PREACT}
    return others.get(_paper_of_blocks(spec), plain)
