"""``--task verify`` of models that were made with options, and options that a task does not use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fleet.inline import Inline

from prototxt_gen import verify as proof
from prototxt_gen.cli import run

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

NET = """
layer { name: "in" type: "Input" top: "data" input_param { shape { dim: [1, 3, 8, 8] } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "msra" } } }
layer { name: "fc" type: "InnerProduct" bottom: "conv" top: "fc"
        inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
"""


@pytest.fixture
def there(tmp_path: Path, inline: Inline, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a plan of one net, and images."""
    monkeypatch.chdir(tmp_path)
    Path("nets").mkdir()
    Path("nets/net.prototxt").write_text(NET)
    init = ["weights", "init", "nets/net.prototxt", "--how", "random", "-o"]
    for file, seed in (("net.caffemodel", "0"), ("other.caffemodel", "9")):
        assert run([*init, file, "--seed", seed]) == 0
    for name in ("net", "other"):
        Path(f"{name}.csv").write_text(
            f"name,net,weights\nnet,nets/net.prototxt,{name}.caffemodel\n"
        )
    Path("images").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    Image.fromarray(pixels).save("images/0.png")
    return tmp_path


def make(*words: str) -> int:
    return run(["fleet", "net.csv", "-o", "out", *words])


@pytest.fixture
def verify(capsys: pytest.CaptureFixture[str]) -> Any:
    def verified(*words: str, plan: str = "net.csv") -> tuple[int, str]:
        capsys.readouterr()
        code = run(["fleet", plan, "-o", "out", "--task", "verify", *words])
        shown = capsys.readouterr()
        return code, shown.out + shown.err

    return verified


def test_models_in_int8_are_given_the_images_of_their_own(
    there: Path, verify: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fed: list[Any] = []
    real = proof.verify

    def watched(graph: Any, model: Any, inputs: Any = None, **more: Any) -> Any:
        fed.append(inputs)
        return real(graph, model, inputs, **more)

    monkeypatch.setattr(proof, "verify", watched)
    assert make("--int8", "images") == 0
    assert verify("--int8", "images")[0] == 0
    pixels = np.asarray(Image.open("images/0.png"), np.float32)
    assert np.array_equal(fed[-1]["data"], pixels[..., ::-1].transpose(2, 0, 1)[None])
    assert verify()[0] == 0 and fed[-1] is None
    code, shown = verify(plan="other.csv")
    assert code == 1 and "differs first at blob 'conv'" in shown
    assert "it is in int8, and may fit only inputs such as it was calibrated with" in shown
    code, shown = verify("--fp16")
    assert code == 1 and "the model is in int8, and --fp16 is asked for" in shown


def test_the_numbers_of_a_model_are_those_that_are_asked_for(there: Path, verify: Any) -> None:
    assert make("--fp16") == 0
    assert verify("--fp16")[0] == 0
    code, shown = verify("--int8", "images")
    assert code == 1 and "the model is in float16, and --int8 is asked for" in shown
    assert make() == 0
    code, shown = verify("--fp16")
    assert code == 1 and "the model is in float32, and --fp16 is asked for" in shown


def test_weights_that_were_made_are_made_again(there: Path, verify: Any) -> None:
    init = ["--weights-init", "random", "--seed", "3"]
    assert run(["fleet", "nets", "-o", "out", *init]) == 0
    assert verify(*init, plan="nets")[0] == 0
    for other in (["--weights-init", "random"], ["--weights-init", "fillers", "--seed", "3"]):
        code, shown = verify(*other, plan="nets")
        assert code == 1 and "differs first at blob 'conv'" in shown
    assert "1 net without weights" in verify(plan="nets")[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("net.csv -o out --task verify --opset 13", "--opset changes nothing with --task verify"),
        ("net.csv -o out --task verify --batch 2", "--batch changes nothing with --task verify"),
        ("net.csv -o out --task verify --fp16 --least-cosine 1", "--least-cosine changes nothing"),
        ("net.csv -o out --task verify --no-verify", "--no-verify changes nothing with --task"),
        ("net.csv -o out --task verify --external-data", "--external-data changes nothing"),
        ("net.csv -o out --task validate --fp16", "--fp16 changes nothing with --task validate"),
        ("net.csv -o out --task validate --losses drop", "--losses changes nothing with --task"),
        ("net.csv -o out --task validate --phase TRAIN", "--phase is for a folder, and net.csv"),
        ("net.csv -o out --snapshots all", "--snapshots is for a folder, and net.csv is a plan"),
        ("net.csv -o out --patience 3", "--patience goes with --scheduler"),
        ("net.csv -o out --cache here", "--cache is for files of stores, and all are here"),
        ("net.csv -o out --seed 3", "--seed goes with --weights-init"),
        ("nets --plan new.csv --opset 13", "--opset is for the run, and --plan only writes"),
        ("nets --plan new.csv --jobs 2", "--jobs is for the run, and --plan only writes"),
        ("net.csv --plan new.csv --dialect ssd", "--dialect is for a folder, and net.csv is"),
        ("idle.csv -o out", "options of net: --seed goes with --weights-init"),
    ],
)
def test_an_option_that_changes_nothing_is_refused(
    words: str, message: str, there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("idle.csv").write_text(
        "name,net,weights,options\nnet,nets/net.prototxt,net.caffemodel,--seed 3\n"
    )
    assert run(["fleet", *words.split()]) == 2
    assert message in capsys.readouterr().err
    assert not Path("out").exists() and not Path("new.csv").exists()


def test_options_of_both_tasks_may_stand_in_a_plan(there: Path, verify: Any) -> None:
    Path("net.csv").write_text(
        "name,net,weights,options\n"
        "net,nets/net.prototxt,net.caffemodel,--int8 images --opset 15 --batch 2\n"
    )
    assert make() == 0
    assert verify()[0] == 0
