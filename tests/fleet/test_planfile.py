"""A plan as a file: written, edited, and read, or refused with its place."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from prototxt_gen.errors import PrototxtError
from prototxt_gen.fleet.plan import Item, Left, Plan
from prototxt_gen.fleet.planfile import read_plan, write_plan


@pytest.mark.parametrize("form", ["csv", "jsonl", "yaml"])
def test_a_plan_is_read_as_it_was_written(tmp_path: Path, form: str) -> None:
    net, model = str(tmp_path / "in, ü" / "a.prototxt"), "s3://bucket/a b.caffemodel"
    made = Plan(
        (Item("a/b", net, model, ("--opset", "13", "--until", "a b"), 'said "so", once'),),
        (Left(str(tmp_path / "z.prototxt"), "no weights: none", failure=True), Left("y", "other")),
    )
    file = tmp_path / f"plan.{form}"
    file.write_bytes(write_plan(made, str(file)))
    assert "in, ü" in file.read_text() or "in, \\u00fc" in file.read_text()
    found = read_plan(str(file))
    assert found.items == made.items
    assert [one.path for one in found.left] == [str(tmp_path / "z.prototxt")]
    assert not found.left[0].failure, "somebody has seen it, and left it"


BAD = {
    "a.csv:1: there is no column net; found nett": ("a.csv", "nett\nx\n"),
    "a.csv:2: unknown key 'colour'; expected use, name, net": ("a.csv", "net,colour\nx,red\n"),
    "a.csv:3: 2 values for 1 column": ("a.csv", "net\nx\ny,z\n"),
    "a.csv:2: there is no net": ("a.csv", "net,name\n,x\n"),
    "a.csv:2: use is 'maybe'; expected yes or no": ("a.csv", "net,use\nx,maybe\n"),
    "a.csv:3: there is a model 'x' before": ("a.csv", "net\nx.prototxt\nx.caffemodel\n"),
    "a.csv:2: name is '../x'; expected a path below": ("a.csv", "net,name\nx,../x\n"),
    "a.csv:2: options '\"': No closing quotation": ("a.csv", 'net,options\nx,""""\n'),
    "a.jsonl:2: is no JSON": ("a.jsonl", '{"net": "x"}\n{net\n'),
    "a.jsonl:1: found 3; expected an object": ("a.jsonl", "3\n"),
    "a.jsonl:1: is of version 2; this program reads 1": ("a.jsonl", '{"version": 2}\n'),
    "a.jsonl:1: net is 3; expected a text": ("a.jsonl", '{"net": 3}\n'),
    "a.jsonl:1: options are {}; expected words": ("a.jsonl", '{"net": "x", "options": {}}\n'),
    "a.yaml: expected a list of models": ("a.yaml", "net: x\n"),
    "a.yaml: model 1: found 'x'; expected keys": ("a.yaml", "- x\n"),
    "a.yaml: is of version 7": ("a.yaml", "version: 7\nmodels: []\n"),
}


@pytest.mark.parametrize("words", BAD)
def test_a_plan_that_is_none_is_refused(tmp_path: Path, words: str) -> None:
    name, text = BAD[words]
    (tmp_path / name).write_text(text)
    with pytest.raises(PrototxtError) as caught:
        read_plan(str(tmp_path / name))
    assert caught.value.message.startswith(f"{tmp_path}/{words}")


def test_a_plan_may_be_short(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(
        yaml.safe_dump(
            [{"net": "x/a.prototxt", "options": ["--opset", 13]}, {"net": "/b.prototxt"}]
        )
    )
    a, b = read_plan(str(tmp_path / "p.yaml")).items
    assert a == Item("x/a", str(tmp_path / "x/a.prototxt"), None, ("--opset", "13"))
    assert (b.name, b.net) == ("b", "/b.prototxt")
