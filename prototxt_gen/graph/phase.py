"""Which layers are in a net in a phase (net.cpp, FilterNet and StateMeetsRule)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from prototxt_gen._records import Record, record
from prototxt_gen.document import Block

Phase = Literal["TRAIN", "TEST"]
_MOST_STAGES = 8  #: nets have one to four
PHASES: tuple[Phase, Phase] = ("TEST", "TRAIN")


@record
class State(Record):
    """The state that a net's rules are checked against; the user gives ``stages`` and ``level``."""

    phase: Phase = "TEST"
    stages: frozenset[str] = frozenset()
    level: int = 0

    def within(self, root: Block) -> State:
        """This state, with the level and the stages that the net itself declares."""
        declared = root.block("state")
        stages = frozenset(declared.get_list("stage", str))
        level = self.level or declared.get("level", int, 0)
        return State(self.phase, self.stages | stages, level)


def included(layer: Block, state: State) -> bool:
    """Whether a layer is part of the net in a state.

    Caffe refuses a layer with both ``include`` and ``exclude``; here its ``include`` counts.
    """
    include = layer.blocks("include")
    if include:
        return any(_meets(state, rule) for rule in include)
    return not any(_meets(state, rule) for rule in layer.blocks("exclude"))


def options_for(layer: Block, state: State, stages: Sequence[str]) -> str | None:
    """The options that give a state in which a layer is part of the net; None if none does.

    The layer is not part of it in ``state``; ``stages`` are those of the net.
    """
    for phase in (state.phase, *(other for other in PHASES if other != state.phase)):
        for stage in (None, *stages):
            names = state.stages if stage is None else state.stages | {stage}
            if included(layer, State(phase, names, state.level)):
                options = [f"--phase {phase}"] if phase != state.phase else []
                return " ".join(options + ([f"--stage {stage}"] if stage is not None else []))
    return None


def phases_of(root: Block) -> tuple[Phase, ...]:
    """The phases that a net is made for: a single one where no rule names a phase.

    A net whose rules include layers in one phase only, and exclude none, is made for that.
    """
    includes = set(_phases(root, "include"))
    excludes = set(_phases(root, "exclude"))
    if not includes and not excludes:
        return PHASES[:1]
    if excludes:
        return PHASES
    return tuple(phase for phase in PHASES if phase in includes)


def stages_of(root: Block) -> tuple[str, ...]:
    """The stages that layers are included for, in the order of the file, at most eight."""
    names = dict.fromkeys(
        name
        for layer in root.blocks("layer")
        for rule in layer.blocks("include")
        for name in rule.get_list("stage", str)
    )
    return tuple(names)[:_MOST_STAGES]


def _phases(root: Block, rule: str) -> Iterator[str]:
    for layer in root.blocks("layer"):
        for block in layer.blocks(rule):
            if block.has("phase"):
                yield block.get("phase", str, "")


def _meets(state: State, rule: Block) -> bool:
    if rule.has("phase") and rule.get("phase", str, "") != state.phase:
        return False
    if rule.has("min_level") and state.level < rule.get("min_level", int, 0):
        return False
    if rule.has("max_level") and state.level > rule.get("max_level", int, 0):
        return False
    wanted, unwanted = rule.get_list("stage", str), rule.get_list("not_stage", str)
    return state.stages.issuperset(wanted) and state.stages.isdisjoint(unwanted)
