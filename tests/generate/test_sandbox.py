"""Templates are other people's: they see the net, files of their folder, and an end."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.errors import TemplateError
from prototxt_gen.generate import render, sandbox

LAYER = "layer.prototxt.j2"
NET = "net.prototxt.j2"
PLAIN = "layer {\n{{ layer | fields }}\n}\n"


def refusal(folder: Path, text: str, file: str = LAYER) -> str:
    """What is said of a template with the text before the usual one."""
    (folder / file).write_text(text + PLAIN)
    with pytest.raises(TemplateError) as caught:
        api.generate(depth=18, templates=folder)
    return caught.value.message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{{ ''.__class__ }}", "may not see '__class__' of a str"),
        ("{{ layer.__init__.__globals__ }}", "may not see '__init__' of a layer"),
        ("{{ layer.block }}", "may not see 'block' of a layer"),
        ("{{ layer['block'] }}", "may not see 'block' of a layer"),
        ("{{ layer | attr('block') }}", "may not see 'block' of a layer"),
        ("{{ [layer] | map(attribute='block') | first }}", "may not see 'block' of a layer"),
        ("{{ '{0.block}'.format(layer) }}", "may not see 'block' of a layer"),
        ("{{ net.spec.of }}", "may not see 'of' of a spec"),
        ("{{ net.header.fields }}", "may not see 'fields' of a block"),
        ("{{ range.__call__ }}", "may not see '__call__' of a function"),
        ("{% macro m() %}{% endmacro %}{{ m._func }}", "may not see '_func' of a macro"),
        ("{{ self._TemplateReference__context }}", "may not see '_TemplateReference__context'"),
        ("{{ layer.params.clear() }}", "may not see 'clear' of a dict"),
        ("{{ layer.params.update({'a': 1}) }}", "may not see 'update' of a dict"),
        ("{{ [].append(1) }}", "may not see 'append' of a list"),
        ("{{ lipsum(1) }}", "'lipsum' is undefined"),
        ("{{ 1 | ' counted' }}", "expected token 'name'"),
    ],
)
def test_a_template_sees_the_net_and_nothing_behind_it(
    tmp_path: Path, text: str, words: str
) -> None:
    message = refusal(tmp_path, text)
    assert message.startswith(f"{tmp_path / LAYER}:1: ")
    assert words in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{% for _ in range(10**9) %}{% endfor %}", "Range too big"),
        (
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
            "may make 189000 steps",
        ),
        (
            "{% for a in range(99999) if a %}{% for b in range(99999) if b %}{% endfor %}"
            "{% endfor %}",
            "may make 189000 steps",
        ),
        (
            "{% for a in [[1] * 999] * 999 recursive %}"
            "{% if a is not number %}{{ loop(a) }}{% endif %}{% endfor %}" * 2,
            "may make 189000 steps",
        ),
        (
            "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}"
            "{{ m(40) }}",
            "may make 189000 steps",
        ),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "without end"),
        (f"{{% include '{LAYER}' %}}", "without end"),
        ("{{ 'x' * 10**9 }}", "may repeat a text or a list to 1000000"),
        ("{{ 10**9 * 'x' }}", "may repeat a text or a list to 1000000"),
        ("{{ [1] * 10**9 }}", "may repeat a text or a list to 1000000"),
        ("{{ 10 ** (10 ** 9) }}", "more than 65536 bits"),
        (
            "{% set n = namespace(x=10 ** 9000) %}{% for _ in range(99) %}"
            "{% set n.x = n.x * n.x %}{% endfor %}",
            "more than 65536 bits",
        ),
    ],
)
def test_what_would_not_end_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, words: str
) -> None:
    monkeypatch.setattr(sandbox, "MOST_STEPS", 100_000)
    start = time.process_time()
    message = refusal(tmp_path, text)
    assert time.process_time() - start < 30
    assert message.startswith(f"{tmp_path / LAYER}:1: ")
    assert words in message


def test_includes_are_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "MOST_STEPS", 100)
    monkeypatch.setattr(sandbox, "STEPS_A_LAYER", 0)
    (tmp_path / "empty.j2").write_text("")
    assert "may make 100 steps" in refusal(tmp_path, "{% include 'empty.j2' %}" * 101, NET)


def test_a_text_that_no_reader_would_take_is_not_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(render, "LARGEST_FILE", 1000)
    (tmp_path / LAYER).write_text("# {{ 'x' * 990 }}\n" + PLAIN)
    with pytest.raises(TemplateError, match="prints more than 1000 characters"):
        api.generate(depth=18, templates=tmp_path)


@pytest.mark.parametrize("tag", ["include", "import", "extends", "from"])
@pytest.mark.parametrize("name", ["/etc/passwd", "../secret", "a/../../secret", "..", "c:\\x"])
def test_no_template_is_loaded_from_elsewhere(tmp_path: Path, tag: str, name: str) -> None:
    folder = tmp_path / "templates"
    (folder / "a").mkdir(parents=True)
    (tmp_path / "secret").write_text("# secret\n")
    end = {"import": " as x", "from": " import x"}.get(tag, "")
    message = refusal(folder, f"{{% {tag} '{name}'{end} %}}".replace("\\", "\\\\"))
    assert message.startswith(f"{folder / LAYER}:1: ")
    assert f"the template {name!r} is not in the folder of templates" in message


def test_no_link_leaves_the_folder(tmp_path: Path) -> None:
    folder, secret = tmp_path / "templates", tmp_path / "secret"
    folder.mkdir()
    secret.mkdir()
    (secret / "file").write_text("# secret\n")
    (folder / "link").symlink_to(secret / "file")
    (folder / "inside").symlink_to(secret)
    for name in ("link", "inside/file"):
        message = refusal(folder, f"{{% include '{name}' %}}")
        assert f"{folder / name} is a link that leaves the folder of templates" in message


def test_a_link_inside_the_folder_is_followed_and_the_folder_may_be_one(tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    (folder / "parts").mkdir(parents=True)
    (folder / "parts/real").write_text("# here\n")
    (folder / "link").symlink_to(folder / "parts/real")
    (tmp_path / "other").symlink_to(folder)
    (folder / LAYER).write_text("{% include 'link' %}\n{% include 'parts/real' %}\n" + PLAIN)
    assert api.generate(depth=18, templates=tmp_path / "other").count("# here\n") == 2 * 89


def test_a_template_is_not_read_without_a_bound(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 40)
    assert "has more than 1048576 bytes" in refusal(tmp_path, "{% include 'large' %}")


@pytest.mark.parametrize(
    "text",
    ["{% include '\0' %}", "{{ " + "(" * 5000 + ")" * 5000 + " }}", "{% for a in [1] %}" * 30],
)
def test_a_template_that_python_cannot_compile_is_no_bug(tmp_path: Path, text: str) -> None:
    text += "{% endfor %}" * text.count("{% for")
    (tmp_path / NET).write_text(text)
    assert run(["gen", "--depth", "18", "--templates", str(tmp_path)]) == 2


def test_the_command_says_the_place_and_exits_with_2(tmp_path: Path) -> None:
    (tmp_path / LAYER).write_text(f"\n{{{{ ''.__class__.__mro__ }}}}{PLAIN}")
    done = subprocess.run(
        [sys.executable, "-m", "prototxt_gen", "gen", "--depth", "18", "--templates", tmp_path],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (2, "")
    words = "a template may not see '__class__' of a str"
    assert done.stderr == f"error: {tmp_path / LAYER}:2: {words}\n"


def test_what_templates_are_for_still_works(tmp_path: Path) -> None:
    (tmp_path / "parts.j2").write_text("{% macro note(x) %}# {{ x }}{% endmacro %}")
    (tmp_path / LAYER).write_text(
        "{% from 'parts.j2' import note %}"
        "{% for key, value in layer.params.items() %}"
        "{{ note('%s, %d of %d' | format(key, loop.index, loop.length)) }}\n{% endfor %}"
        "{{ note('{} of {}'.format(layer.name, net.spec.stages | join('-'))) }}\n"
        "{% set n = namespace(x=0) %}{% for b in layer.bottoms %}{% set n.x = n.x + 1 %}"
        "{% endfor %}{{ note(n.x * 2) }}\n"
        "{% for a in [1, [2]] recursive %}{% if a is iterable %}{{ loop(a) }}"
        "{% else %}{{ note(a) }}\n{% endif %}{% endfor %}" + PLAIN
    )
    text = api.generate(depth=18, templates=tmp_path)
    assert "# convolution_param, 1 of 1\n# conv1 of 2-2-2-2\n# 2\n# 1\n# 2\nlayer {" in text
