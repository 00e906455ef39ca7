"""What the templates print is the net; templates that print another are refused."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from prototxt_gen import api
from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.errors import SpecError, TemplateError
from prototxt_gen.formats.reader import read_text
from prototxt_gen.generate.blocks import build
from prototxt_gen.generate.forms import BIASED, BLOCKS
from prototxt_gen.generate.render import render
from prototxt_gen.generate.spec import Spec
from prototxt_gen.graph.write import write

LAYER = "layer.prototxt.j2"
NET = "net.prototxt.j2"

keys = st.builds(
    dict,
    stages=st.lists(st.integers(1, 8), min_size=1, max_size=4).map(tuple),
    block=st.sampled_from(sorted(BLOCKS)),
    width=st.integers(1, 35).map(lambda half: 2 * half),
    classes=st.integers(1, 1200),
    input_shape=st.tuples(
        st.integers(1, 4), st.integers(1, 5), st.integers(40, 300), st.integers(40, 300)
    ),
    bias=st.sampled_from(["none", "all", *BIASED[:-1], "conv1,branch1"]),
    name=st.text(),
)


@settings(max_examples=30)
@given(keys)
def test_what_is_rendered_reads_back_as_the_net(keys: dict[str, Any]) -> None:
    try:
        net = build(Spec(**keys))
    except SpecError:  # such as a bias of shortcuts where none is a convolution
        reject()
    source = Source(render(net).encode("utf-8", "surrogateescape"))
    sink = Sink(source)
    assert read_text(source, sink).root == write(net.graph).root
    assert not sink.diagnostics


def test_a_template_may_have_a_form_of_its_own(tmp_path: Path) -> None:
    (tmp_path / LAYER).write_text(
        '{% if layer.type == "Pooling" %}# {{ layer.params.pooling_param.pool }}\n{% endif %}'
        "layer {\n{{ layer | fields(3) }}\n}\n"
    )
    text = api.generate(depth=18, templates=tmp_path)
    assert "# AVE" in text
    assert '\n      name: "conv1"' in text
    assert api.validate(Source(text.encode())) == []


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        (LAYER, "layer {\n{{ layer.nam }}\n}\n", f"{LAYER}:2: .*has no attribute 'nam'"),
        (LAYER, "layer {\n{{ layr | fields }}\n}\n", f"{LAYER}:2: 'layr' is undefined"),
        (LAYER, "layer {\n{{ layer | field }}\n}\n", f"{LAYER}:2: No filter named 'field'"),
        (LAYER, "layer {\n{{ 1 // 0 }}\n}\n", f"{LAYER}:2: .*zero"),
        (LAYER, "{% if %}", f"{LAYER}:1: "),
        (LAYER, "{{ 'x' | fields }}", f"{LAYER}:1: fields takes a layer"),
        (NET, "{% include 'other.j2' %}", "no template 'other.j2'"),
        (LAYER, "layer { {{ layer | fields }}\n", "is not closed"),
        (LAYER, "", "- layer 'conv1' .Convolution. .and 88 more"),
        (LAYER, '{{ "layer { " }}{{ layer | fields }}\ntype: "ReLU" }\n', "only once"),
        (
            LAYER,
            "layer { {{ (layer | fields).replace('64', '32') }} }\n",
            "has 32x112x112, 32x3x7x7",
        ),
        (NET, '{{ "" }}', "the net has no layer"),
    ],
)
def test_a_wrong_template_is_named_with_its_line(
    tmp_path: Path, file: str, text: str, words: str
) -> None:
    (tmp_path / file).write_text(text)
    with pytest.raises(TemplateError, match=words):
        api.generate(depth=18, templates=tmp_path)


def test_a_layer_has_its_own_fields_apart_from_its_parameters(tmp_path: Path) -> None:
    """README: ``params`` are the fields of a layer but for those that have names of their own."""
    (tmp_path / LAYER).write_text(
        "# {{ layer.name }}: {{ layer.params | list | join(' ') }}\n"
        "layer { {{ layer | fields }} }\n"
    )
    text = api.generate(depth=18, templates=tmp_path)
    assert "# conv1: convolution_param\n" in text


def test_a_missing_folder_of_templates_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="is not a folder"):
        api.generate(depth=18, templates=tmp_path / "none")


def test_a_template_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / NET).write_bytes(b"\xff")
    with pytest.raises(TemplateError, match=f"^cannot read .*{NET}: 'utf-8' codec"):
        api.generate(depth=18, templates=tmp_path)
