"""What is shipped beside the code: examples that run, docs that are fresh, a whole wheel."""

import os
import re
import runpy
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from prototxt_gen import api
from prototxt_gen.cli import COMMANDS
from prototxt_gen.cli.validate import FORMATS
from prototxt_gen.cli.validate import command as validate
from prototxt_gen.diagnostics import Source

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"


@pytest.mark.parametrize("spec", sorted((EXAMPLES / "specs").iterdir()))
def test_example_specs_make_sound_nets(spec: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "prototxt_gen", "gen", "--spec", spec], capture_output=True
    )
    assert done.returncode == 0, done.stderr
    assert api.validate(Source(done.stdout)) == []


def test_example_templates_make_a_sound_net() -> None:
    text = api.generate(depth=18, templates=EXAMPLES / "templates")
    assert "# 7x7, 64 channels\n" in text
    assert api.validate(Source(text.encode())) == []


def test_the_example_program_runs(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLES / "api.py"))
    out = capsys.readouterr().out
    assert " 0 findings" in out
    assert "[window-too-large]" in out


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("resnet20", ["gen", "resnet20"]),
        ("resnet20_train_val", ["gen", "resnet20", "--phase", "train_val"]),
        ("resnet20_solver", ["solver", "resnet20", "--net", "resnet20_train_val.prototxt"]),
    ],
)
def test_example_nets_are_what_is_generated(name: str, words: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", "prototxt_gen", *words], capture_output=True)
    assert done.stdout == (EXAMPLES / f"nets/{name}.prototxt").read_bytes()


def test_what_ci_of_others_calls_is_there() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    assert [hook["entry"] for hook in hooks] == ["resnet-proto validate", "resnet-proto fmt"]
    action = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
    script = action["runs"]["steps"][-1]["run"]
    for hook in hooks:
        assert hook["entry"].split()[1] in COMMANDS
    options = {option for param in validate.params for option in param.opts}
    assert set(re.findall(r"--[a-z-]+", script)) <= options
    shown = set(action["inputs"]["format"]["description"].replace(",", " ").split())
    assert set(FORMATS) <= {word.rstrip(".") for word in shown}


@pytest.mark.parametrize(
    ("script", "function", "page"),
    [
        ("reference.py", "reference", "cli.md"),
        ("residual.py", "page", "residual.md"),
        ("layers.py", "page", "layers.md"),
        ("rules.py", "page", "rules.md"),
        ("runtimes.py", "page", "runtimes.md"),
    ],
)
def test_generated_pages_are_fresh(script: str, function: str, page: str) -> None:
    made = runpy.run_path(str(ROOT / "docs" / script))[function]()
    assert (ROOT / "docs" / page).read_text(encoding="utf-8") == made, "run `make docs`"


def test_the_wheel_holds_what_the_checkout_has(tmp_path: Path) -> None:
    # Of a copy, since setuptools packs what it finds in an old build folder.
    other = shutil.ignore_patterns(".*", "build", "tests", "*.egg-info", "__pycache__")
    copy = shutil.copytree(ROOT, tmp_path / "copy", ignore=other)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp_path, copy],
        check=True,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )
    (wheel,) = tmp_path.glob("*.whl")
    shipped = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    page = (".j2", ".css", ".js", ".LICENSE")
    wanted = {
        *(
            f"prototxt_gen/{file}"
            for file in _files(ROOT / "prototxt_gen", ".py", "py.typed", ".yml")
        ),
        *(f"prototxt_gen/proto/{file}" for file in _files(ROOT / "proto", ".proto", ".binpb")),
        *(f"prototxt_gen/templates/{file}" for file in _files(ROOT / "templates", *page)),
    }
    assert shipped == wanted


def _files(folder: Path, *ends: str) -> list[str]:
    return [
        file.relative_to(folder).as_posix()
        for file in folder.rglob("*")
        if file.name.endswith(ends)
    ]
