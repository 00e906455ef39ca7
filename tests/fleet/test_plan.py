"""Which weights belong to which net: a folder for each case, and the plan of it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.diagnostics import Source
from prototxt_gen.fleet.plan import plan
from prototxt_gen.weights import make, save

INPUT = 'input: "data" input_shape { dim: [1, 3, 6, 6] }\n'
DATA = """layer { name: "data" type: "Data" top: "data" top: "label"
  data_param { source: "x" batch_size: 2 } }
"""
LAYER = """layer { name: "%s" type: "InnerProduct" bottom: "data" top: "y"
  inner_product_param { num_output: %d } }
"""
LOSS = 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "y" bottom: "label" top: "l" }\n'
SOLVER = 'net: "x" base_lr: 0.1 max_iter: 3\n'
LABELS = 'item { name: "cat" label: 1 display_name: "cat" }\n'


def net(layer: str = "ip", width: int = 4) -> str:
    return INPUT + LAYER % (layer, width)


def training(layer: str = "ip", width: int = 4) -> str:
    return DATA + LAYER % (layer, width) + LOSS


def weights(path: Path, layer: str = "ip", width: int = 4) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    graph = api.load(Source(net(layer, width).encode()))
    save(graph, make(graph, "random"), path)


def fill(folder: Path, files: dict[str, object]) -> Path:
    """Texts of nets, and of weights the layer and its width."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            path.write_text(content)
        else:
            weights(path, *content)  # type: ignore[misc]
    return folder


A, B = ("ip", 4), ("ip", 5)
#: Files, the weights and options of each model by its name, and why others are left out.
CASES: dict[str, tuple[dict[str, object], dict[str, str], dict[str, str]]] = {
    "by name, but for its role": (
        {"vgg_deploy.prototxt": net(), "vgg.caffemodel": A, "z.caffemodel": A},
        {"vgg_deploy": "vgg.caffemodel"},
        {"z.caffemodel": "it fits vgg_deploy.prototxt, which has weights that are nearer"},
    ),
    "not by name where contents do not fit": (
        {"a.prototxt": net(), "a.caffemodel": B, "b.caffemodel": A},
        {"a": "b.caffemodel"},
        {"a.caffemodel": "no net near it fits"},
    ),
    "not where layers have other names": (
        {"a.prototxt": net(), "a.caffemodel": ("fc", 4)},
        {},
        {
            "a.prototxt": "!a.caffemodel does not fit: the weights belong to another net",
            "a.caffemodel": "no net near it fits",
        },
    ),
    "each of its own name, though both fit both": (
        {"a.prototxt": net(), "b.prototxt": net(), "a.caffemodel": A, "b.caffemodel": A},
        {"a": "a.caffemodel", "b": "b.caffemodel"},
        {},
    ),
    "the folder before the one below": (
        {"x/deploy.prototxt": net(), "x/w.caffemodel": A, "x/old/v.caffemodel": A},
        {"x/deploy": "x/w.caffemodel"},
        {"x/old/v.caffemodel": "it fits x/deploy.prototxt, which has weights that are nearer"},
    ),
    "below": (
        {"x/deploy.prototxt": net(), "x/snap/w.caffemodel": A},
        {"x/deploy": "x/snap/w.caffemodel"},
        {},
    ),
    "a sister": (
        {"nets/a/deploy.prototxt": net(), "weights/a/w.caffemodel": A},
        {"nets/a/deploy": "weights/a/w.caffemodel"},
        {},
    ),
    "above": (
        {"nets/v2/deploy.prototxt": net(), "w.caffemodel": A},
        {"nets/v2/deploy": "w.caffemodel"},
        {},
    ),
    "the latest snapshot, by number": (
        {
            "a.prototxt": net(),
            "s/a_iter_9.caffemodel": A,
            "s/a_iter_100.caffemodel": A,
            "s/a_iter_20.caffemodel": A,
        },
        {"a": "s/a_iter_100.caffemodel"},
        {
            "s/a_iter_9.caffemodel": "an older snapshot than s/a_iter_100.caffemodel",
            "s/a_iter_20.caffemodel": "an older snapshot than s/a_iter_100.caffemodel",
        },
    ),
    "several others": (
        {"deploy.prototxt": net(), "voc.caffemodel": A, "coco.caffemodel": A},
        {"deploy.coco": "coco.caffemodel", "deploy.voc": "voc.caffemodel"},
        {},
    ),
    "a training net and its deploy net": (
        {"deploy.prototxt": net(), "train_val.prototxt": training(), "w.caffemodel": A},
        {"deploy": "w.caffemodel"},
        {"train_val.prototxt": "the training net of deploy.prototxt"},
    ),
    "a training net alone, beside another's deploy net": (
        {
            "deploy.prototxt": net(),
            "w.caffemodel": A,
            "b_train_val.prototxt": training("fc"),
            "b.caffemodel": ("fc", 4),
        },
        {"b_train_val": "b.caffemodel --input-shape data=1,3,6,6", "deploy": "w.caffemodel"},
        {},
    ),
    "a training net alone": (
        {"b_train_val.prototxt": training(), "b.caffemodel": A},
        {},
        {
            "b_train_val.prototxt": "a training net: the shape of its input",
            "b.caffemodel": "no net near it fits",
        },
    ),
    "what is no net": (
        {"solver.prototxt": SOLVER, "labelmap.prototxt": LABELS, "t.prototxt": training()},
        {},
        {
            "labelmap.prototxt": "it is a label map",
            "solver.prototxt": "it is a solver",
            "t.prototxt": "a training net without weights",
        },
    ),
    "without weights": (
        {"a.prototxt": net()},
        {},
        {"a.prototxt": "!no caffemodel near it"},
    ),
    "a net that needs none": (
        {"p.prototxt": INPUT + 'layer { name: "r" type: "ReLU" bottom: "data" top: "r" }\n'},
        {"p": ""},
        {},
    ),
    "a broken net is tried, and fails": (
        {"a.prototxt": net()[:-9]},
        {"a": ""},
        {},
    ),
    "a caffemodel alone": ({"x/a.caffemodel": A}, {"x/a": ""}, {}),
    "a broken caffemodel": (
        {"a.prototxt": net(), "a.caffemodel": "no weights"},
        {},
        {"a.prototxt": "!a.caffemodel does not fit", "a.caffemodel": "this is a text file"},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_belongs_together(tmp_path: Path, case: str) -> None:
    files, items, left = CASES[case]
    found = plan(str(fill(tmp_path / "in", files)))
    assert {
        item.name: " ".join([shown(tmp_path, item.weights), *item.options]).strip()
        for item in found.items
    } == items
    assert {shown(tmp_path, one.path) for one in found.left} == {name for name, why in left.items()}
    for one in found.left:
        why = left[shown(tmp_path, one.path)]
        assert one.failure is why.startswith("!")
        assert why.strip("!") in one.why


def shown(tmp_path: Path, path: str | None) -> str:
    return path.removeprefix(f"{tmp_path / 'in'}/") if path else ""


def test_all_snapshots_and_nets_without_weights_are_models_if_asked(tmp_path: Path) -> None:
    files = {"a.prototxt": net(), "a_iter_1.caffemodel": A, "a_iter_2.caffemodel": A}
    folder = fill(tmp_path / "in", {**files, "b/b.prototxt": net(width=9)})
    found = plan(str(folder), snapshots="all", init=True)
    assert [item.name for item in found.items] == ["a.a_iter_1", "a.a_iter_2", "b/b"]


def test_the_plan_is_printed_and_what_is_edited_is_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = fill(
        tmp_path / "in", {"a.prototxt": net(), "a.caffemodel": A, "b/b.prototxt": net(width=7)}
    )
    file, out = tmp_path / "plan.csv", tmp_path / "out"
    assert run(["fleet", str(folder), "--plan", str(file)]) == 0
    shown = capsys.readouterr()
    assert "a      a.caffemodel           of its name, in its folder; 1 layer fits" in shown.out
    assert "1 model, 1 net without weights, 0 left out" in shown.err
    assert not out.exists()
    text = (
        file.read_text()
        .replace("yes,a,", "yes,mine/a,")
        .replace("caffemodel,,", "caffemodel,--opset 13 --fp16,")
    )
    file.write_text(text)
    assert run(["fleet", str(file), "-o", str(out), "--no-verify"]) == 0
    assert os.listdir(out / "mine") == ["a.onnx"]
    rows = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    (row,) = [row for row in rows if row.get("status") == "done"]
    assert row["options"] == ["--opset", "13", "--fp16"]
    import onnx

    model = onnx.load(out / "mine/a.onnx")
    assert model.opset_import[0].version == 13
    assert {one.data_type for one in model.graph.initializer} >= {onnx.TensorProto.FLOAT16}


def test_a_plan_that_was_edited_is_not_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = fill(tmp_path / "in", {"a.prototxt": net(), "a.caffemodel": A})
    file = tmp_path / "plan.csv"
    words = ["fleet", str(folder), "--plan", str(file)]
    assert run(words) == run(words) == 0
    edited = file.read_text().replace("yes,a,", "no,a,")
    file.write_text(edited)
    assert run(words) == 2
    assert "is there and is another plan, which somebody may have" in capsys.readouterr().err
    assert file.read_text() == edited


def test_a_row_maps_names_of_layers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path, {"a.prototxt": net("new"), "a.caffemodel": ("old", 4)})
    plan, out = tmp_path / "plan.jsonl", str(tmp_path / "out")

    def row(options: str) -> list[str]:
        row = {"net": "a.prototxt", "weights": "a.caffemodel", "options": options}
        plan.write_text(json.dumps(row) + "\n")
        return ["fleet", str(plan), "-o", out]

    assert run(row("")) == 1
    assert "such as 'new' [weights-foreign]" in capsys.readouterr().err
    assert run(row("--map new=old")) == 0
    assert run([*row("--map new=old"), "--task", "verify"]) == 0
    assert run(row("--map new")) == 2
    assert "--map new: expected NET_LAYER=FILE_LAYER" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["x.csv", "-o", "out"], "x.csv: No such file"),
        (["none", "-o", "out"], "none: no such folder"),
        (["."], "there is no -o DST; or give --plan FILE"),
        ([".", "--plan", "p.txt"], "--plan p.txt: expected a name with .csv, .jsonl"),
        ([".", "-o", "out"], "no net in ."),
        ([".", "-o", "out", "--memory", "lots"], "'lots' is no size"),
        (
            [".", "-o", "out", "--scheduler", "tcp://x:1", "--jobs", "2"],
            "--jobs is for this machine",
        ),
    ],
)
def test_wrong_usage(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    error: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["fleet", *words]) == 2
    assert error in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_options_of_a_row_are_checked_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path, {"a.prototxt": net(), "a.caffemodel": A})
    (tmp_path / "p.csv").write_text("net,weights,options\na.prototxt,a.caffemodel,--opst 3\n")
    assert run(["fleet", str(tmp_path / "p.csv"), "-o", str(tmp_path / "out")]) == 2
    assert "options of a: No such option" in capsys.readouterr().err.replace("'", "")
    assert not (tmp_path / "out").exists()
