"""Sets of templates: what a user's may change, pycaffe's, and the command that gives them out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from generate import pycaffe
from google.protobuf import text_format

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import TemplateError
from prototxt_gen.graph.phase import State

LAYER = "layer.prototxt.j2"
PLAIN = "layer {\n{{ layer | fields }}\n}\n"
SMALL = ["--stages", "1,1", "--block", "basic", "--width", "8"]


def changed(old: str, new: str) -> str:
    """A template of a layer in which a text is another."""
    return f"layer {{\n{{{{ layer | fields | replace({old!r}, {new!r}) }}}}\n}}\n"


def gen(folder: Path, *more: str) -> int:
    return run(["gen", *SMALL, "--templates", str(folder), *more])


# --- what is compared ------------------------------------------------------------------------


def test_fields_of_training_may_be_added_and_are_noted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / LAYER).write_text(
        'layer {\n{{ layer | fields }}\n{% if layer.type == "Convolution" %}\n'
        "  param { lr_mult: 2 }\n{% endif %}\n}\n"
    )
    assert gen(tmp_path) == 0
    out, err = capsys.readouterr()
    assert out.count("lr_mult: 2") == 6
    assert "unlike the spec's net: ~ 6 layers of type Convolution (conv1, " in err
    assert "param[0].lr_mult absent -> 2" in err or "param[0].lr_mult 1 -> 2" in err


def test_fields_of_training_may_be_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / LAYER).write_text(changed("msra", "xavier"))
    assert gen(tmp_path, "--phase", "train_val") == 0
    out, err = capsys.readouterr()
    assert "xavier" in out
    assert "msra" not in out
    assert "weight_filler.type 'msra' -> 'xavier'" in err
    (tmp_path / LAYER).write_text(changed("batch_size: 32", "batch_size: 8"))
    assert gen(tmp_path, "--phase", "train_val") == 0
    assert "batch_size 32 -> 8" in capsys.readouterr().err


def test_names_and_comments_may_be_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / LAYER).write_text("# of mine\n" + changed("conv1", "stem"))
    assert gen(tmp_path) == 0
    out, err = capsys.readouterr()
    assert 'name: "stem"' in out
    assert "layer 'conv1' (Convolution): name and top 'conv1' -> 'stem'" in err
    (tmp_path / LAYER).write_text("# of mine\n" + PLAIN)
    assert gen(tmp_path) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (changed("num_output: 8", "num_output: 9"), "'conv1' has 9x112x112, 9x3x7x7; expected 8x"),
        (changed('"ReLU"', '"Sigmoid"'), "type 'ReLU' -> 'Sigmoid'"),
        (changed('bottom: "pool1"', 'bottom: "data"'), "bottom 'pool1' -> 'data'"),
        ('{% if layer.type != "ReLU" %}' + PLAIN + "{% endif %}", "- layer 'conv1_relu' (ReLU)"),
        (PLAIN.replace("layer {", "layer ["), "no prototxt, line "),
        ("print('{{ layer.name }}')\n", "no prototxt, line "),
    ],
)
def test_another_net_is_refused_in_one_line(
    tmp_path: Path, text: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / LAYER).write_text(text)
    assert gen(tmp_path) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert err.count("\n") == 1
    assert "--no-check" in err
    assert gen(tmp_path, "--no-check") == 0
    out, err = capsys.readouterr()
    assert out
    assert err == ""


def test_an_input_of_another_shape_is_refused(tmp_path: Path) -> None:
    (tmp_path / "net.prototxt.j2").write_text(
        "{{ net.header | fields(0) | replace('input_dim: 3', 'input_dim: 4') }}\n"
        '{% for layer in net.layers %}{% include "layer.prototxt.j2" %}{% endfor %}'
    )
    with pytest.raises(TemplateError, match="'data' has 4x224x224; expected 3x224x224"):
        api.generate(depth=18, templates=tmp_path)


def test_a_folder_without_a_template_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gen(tmp_path) == 2
    assert (
        "no file in it has a template's name; expected net.prototxt.j2" in capsys.readouterr().err
    )
    (tmp_path / "Layer.prototxt.j2").write_text(PLAIN)
    assert gen(tmp_path) == 2
    (tmp_path / LAYER).write_text(PLAIN)
    (tmp_path / "net.py.j2").write_text("")
    capsys.readouterr()
    assert gen(tmp_path) == 2
    assert f"two sets, {LAYER} and net.py.j2" in capsys.readouterr().err


def test_text_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / LAYER).write_text('# {{ "\\ud800" }}\n' + PLAIN)
    assert gen(tmp_path) == gen(tmp_path, "--no-check") == 2


def test_no_check_is_for_templates(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["gen", "resnet18", "--no-check"]) == 2
    assert "--no-check goes with --templates" in capsys.readouterr().err


# --- pycaffe ---------------------------------------------------------------------------------


def ran(program: str, *arguments: str) -> Source:
    """The prototxt of the net that a program makes."""
    found: dict[str, Any] = {"__name__": "program"}
    with pycaffe.installed():
        exec(compile(program, "program", "exec"), found)
        made = found["make"](*arguments)
    return Source(text_format.MessageToString(made).encode(), "made")


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("resnet50", {}),
        ("resnet18-tv", {"naming": "torchvision"}),
        ("preresnet50", {"dropout": 0.25}),
        ("resnet20", {"name": 'a """ b \\ \' \n é'}),
        ("wrn-16-8", {}),
        ("mobilenet-v2-tv", {"classifier_form": "conv"}),
        ("densenet121", {"stages": [2, 2], "naming": "shicai"}),
        ("se-resnext50-32x4d", {}),
        ("se-resnet50", {"se_form": "conv", "output_stride": 16}),
        ("resnet18", {"head": "fcn", "shortcut": "avgpool", "eltwise": "MAX"}),
    ],
)
def test_pycaffes_program_makes_the_net(name: str, keys: dict[str, Any]) -> None:
    wanted = Source(api.generate(name, **keys).encode(), "wanted")
    made = ran(api.generate(name, templates="pycaffe", **keys))
    assert list(api.diff(wanted, made).lines()) == []
    assert api.load(made).name == api.load(wanted).name


@pytest.mark.parametrize("name", ["resnet18", "preresnet164", "se-resnet50"])
@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
def test_pycaffes_program_makes_the_net_of_each_phase(name: str, phase: Any) -> None:
    wanted = Source(api.generate(name, phase="train_val").encode(), "wanted")
    made = ran(api.generate(name, phase="train_val", templates="pycaffe"), phase)
    assert list(api.diff(wanted, made, state=State(phase)).lines()) == []


def test_the_stand_in_sees_what_is_wrong() -> None:
    program = api.generate("resnet18", templates="pycaffe")
    with pytest.raises(TypeError, match="is no number"):
        ran(program.replace("P.Pooling.MAX", "'MAX'"))
    wanted = Source(api.generate("resnet18").encode(), "wanted")
    assert not api.diff(wanted, ran(program.replace("stride=2", "stride=1", 1))).same


# --- the command -----------------------------------------------------------------------------


def test_the_shipped_sets_can_be_listed_shown_and_copied(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["templates", "list"]) == 0
    assert "pycaffe" in capsys.readouterr().out
    assert run(["templates", "show", "pycaffe", "layer.py.j2"]) == 0
    assert "in_place=True" in capsys.readouterr().out
    assert run(["templates", "show"]) == 0
    assert "==> layer.prototxt.j2 <==\n" in capsys.readouterr().out
    assert run(["templates", "show", "pycafe"]) == 2
    assert "did you mean 'pycaffe'?" in capsys.readouterr().err
    assert run(["templates", "show", "pycaffe", "x"]) == 2
    for name in ("prototxt", "pycaffe"):
        assert run(["templates", "copy", name, f"mine/{name}"]) == 0
        assert run(["templates", "copy", name, f"mine/{name}"]) == 2
    assert "exists; nothing is copied" in capsys.readouterr().err
    capsys.readouterr()
    for folder, given in (("prototxt", []), ("pycaffe", ["--no-check"])):
        assert gen(Path("mine", folder), *given) == 0
        own = capsys.readouterr().out
        assert gen(Path(folder)) == 0
        assert capsys.readouterr().out == own
    assert gen(Path("mine/pycaffe")) == 2
    assert "is no prototxt, line 1" in capsys.readouterr().err
