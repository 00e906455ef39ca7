"""The two modes of ``convert``: one net, and a folder of them.

Every path that will be written is checked before work begins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prototxt_gen._files import whole_file
from prototxt_gen._words import plural
from prototxt_gen.cli.layer_names import use_names
from prototxt_gen.cli.options import as_json, need_own_files, need_places, write_output
from prototxt_gen.cli.output import print_changes, print_note, progress
from prototxt_gen.cli.tables import print_table
from prototxt_gen.errors import VerificationError

if TYPE_CHECKING:
    import onnx

    from prototxt_gen.cli.serving import Served
    from prototxt_gen.fleet.batch import Outcome
    from prototxt_gen.fleet.ways import ToOnnx, Way
    from prototxt_gen.precision import Lowered
    from prototxt_gen.to_onnx.export import Exported

_UINT8 = 2  #: of ONNX's types


def convert_net(
    net: str,
    weights: str | None,
    output: str,
    report: str | None,
    way: ToOnnx,
    names: Sequence[str] = (),
    into: Served | None = None,
) -> int:
    """Convert one net; ``way.options`` are the options of ``api.convert``, ``names`` of --map.

    The model and the report are written together or not at all; with ``into`` the model is that
    of a repository of Triton's, which is ``output``.
    """
    from prototxt_gen import api

    if output == "-":
        raise click.UsageError("an ONNX model goes into a file; give -o FILE")
    places = into.places if into is not None else [output, f"{output}.data"]
    need_own_files([net, weights, *way.files], [*places, report])
    if output.lower().endswith((".prototxt", ".caffemodel")):
        raise click.UsageError(f"-o {output}: an ONNX model is made of {net}; give -o FILE.onnx")
    if into is not None:
        into.need_place()
    else:
        need_places([output, f"{output}.data" if way.external_data else None])
    need_places([report])
    graph = api.read_caffe(net, weights, state=way.state, dialect=way.dialect)
    use_names(graph, names, way.options["input_shapes"])
    made = api.convert(graph, **way.options)
    if way.verify:
        _prove(made)
    lowered = way.lowered(made)
    made = made if lowered is None else lowered.made
    files, notes = _write(made, output, report, way, lowered, into)
    print_changes(made.changes)
    for words in lowered.words() if lowered is not None else ():
        print_note(words)
    if made.baked:
        seen = f"is in {report}" if report else "is in the report: --report FILE"
        print_note(f"how to feed the model with pictures, by OpenCV or Pillow, {seen}")
    for words in notes:
        print_note(words)
    _say_untried()
    model = made.skeleton.graph
    print_note(
        f"{', '.join(files)}: {plural(len(model.node), 'node')}, opset {way.options['opset']}; "
        f"{_described(model.input)} -> {_described(model.output)}"
    )
    return 0


def convert_folder(folder: Path, out: Path, report: str | None, way: Way, jobs: int) -> int:
    """Convert a folder; a progress bar on a terminal, else a line for each net."""
    from prototxt_gen.fleet import batch as fleet
    from prototxt_gen.fleet.manifest import MANIFEST

    found = list(way.find(folder, out))
    if not found:
        raise click.UsageError(f"no net in {folder}")
    made = [path for job in found for path in way.written(job)]
    need_own_files(
        [path for job in found for path in (job.net, job.weights)],
        [*made, str(out / MANIFEST), report],
    )
    need_places([report], but_in={out, *(Path(job.target).parent for job in found)})
    with progress("converting", len(found)) as step:
        outcomes = fleet.convert_all(
            folder,
            out,
            way,
            jobs=jobs,
            done=lambda o: step(f"{o.name}: {o.status}"),
            say=print_note,
        )
    if report is not None:
        write_output(report, _folder_report(outcomes))
    if report != "-":
        print_table(("net", "", ""), [(o.name, o.status, o.why) for o in outcomes], prose=(2,))
    if way.made == "model" and any(o.status == fleet.CONVERTED for o in outcomes):
        _say_untried()
    notes = [len(outcome.notes) for outcome in outcomes if outcome.notes]
    if notes:
        where = report if report not in (None, "-") else out / MANIFEST
        print_note(f"{plural(sum(notes), 'note')} on {plural(len(notes), 'net')}: see {where}")
    counts = Counter(outcome.status for outcome in outcomes)
    print_note(", ".join(f"{number} {status}" for status, number in counts.items()))
    return int(any(outcome.status == fleet.FAILED for outcome in outcomes))


def _say_untried() -> None:
    """Say on stderr that no model was loaded, if nothing can load it."""
    if find_spec("onnxruntime") is None:
        print_note(
            "onnxruntime is not installed, so loading the model was not tried: "
            "pip install 'resnet-proto[verify]'"
        )


def _prove(made: Exported) -> None:
    """Raise VerificationError if the model does not compute what the net computes."""
    from prototxt_gen.cli.verify import print_verdict
    from prototxt_gen.verify import verify_export

    verdict = verify_export(made)
    print_verdict(verdict)
    if not verdict.agrees:
        raise VerificationError("the model differs from the net; nothing is written")


def _write(
    made: Exported,
    output: str,
    report: str | None,
    way: ToOnnx,
    lowered: Lowered | None,
    into: Served | None,
) -> tuple[list[str], list[str]]:
    """Write the model and its report; the names of the model's files, and what to say of them."""
    from prototxt_gen.to_onnx.write import write_model

    told = _report(made, way.options["opset"], output, lowered) if report is not None else b""
    notes: list[str] = []
    with ExitStack() as stack:
        outside = way.external_data
        ready = None
        if into is not None:
            ready = stack.enter_context(into.written(made, external_data=outside))
        if report not in (None, "-"):
            file = stack.enter_context(whole_file(report))
            file.write(told)
            # A full disk shows here, before the model is written.
            file.flush()
        if into is None or ready is None:
            files = write_model(made, output, external_data=outside)
        else:
            files, notes = into.put(ready)
    if report == "-":
        write_output(report, told)
    return files, notes


def _report(made: Exported, opset: int, output: str, lowered: Lowered | None) -> bytes:
    from prototxt_gen.to_onnx.free import read_ranges
    from prototxt_gen.to_onnx.preprocess.feeding import feeding

    changed = {(change.layer, change.type) for change in made.changes}
    kept = [
        {"layer": node.name, "type": node.type, "what": "converted"}
        for node in made.graph.nodes
        if (node.name, node.type) not in changed
    ]
    changes = [{"layer": c.layer, "type": c.type, "what": c.what} for c in made.changes]
    report: dict[str, object] = {
        "opset": opset,
        "inputs": [value.name for value in made.skeleton.graph.input],
        "outputs": [value.name for value in made.skeleton.graph.output],
        "layers": [*kept, *changes],
    }
    sizes = {
        symbol: {"text": one.text(symbol), "from": list(one.starts), "step": one.step}
        for symbol, one in read_ranges(made.skeleton).items()
    }
    if sizes:
        report["sizes"] = sizes
    if made.baked:
        report["preprocessing"] = feeding(made.skeleton, made.baked, output)
    if lowered is not None:
        report["precision"] = lowered.to_dict()
    return as_json(report)


def _folder_report(outcomes: Iterable[Outcome]) -> bytes:
    nets = [{"net": o.name, "status": o.status, "why": o.why, "notes": o.notes} for o in outcomes]
    return as_json({"nets": nets})


def _described(values: Iterable[onnx.ValueInfoProto]) -> str:
    shown = []
    for value in values:
        dims = value.type.tensor_type.shape.dim
        shape = "x".join(dim.dim_param or str(dim.dim_value) for dim in dims)
        kind = " uint8" if value.type.tensor_type.elem_type == _UINT8 else ""
        shown.append(f"{value.name}{kind} {shape or 'scalar'}")
    return ", ".join(shown)
