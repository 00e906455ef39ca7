"""Each command of README and the pages runs, in order, and prints what the page shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from handbook.pages import ROOT, Command, File, Program, matches, pages, steps
from handbook.shell import Shell

#: README's first two commands, which .ci/run gives itself, in an environment of their own.
SET_UP = (
    "python3 -m venv .venv && .venv/bin/pip install . && "
    ".venv/bin/resnet-proto gen --depth 50 > resnet50.prototxt",
    "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/python -m pytest",
)


@pytest.mark.parametrize(
    "page", pages(), ids=lambda page: page.relative_to(ROOT).with_suffix("").as_posix()
)
def test_a_page_can_be_followed(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "examples").symlink_to(ROOT / "examples")
    shell = Shell(folder, monkeypatch)
    names: dict[str, object] = {"__name__": "__main__"}
    for step in steps(page.read_text("utf-8")):
        if isinstance(step, File):
            path = folder / step.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(step.text, "utf-8")
        elif isinstance(step, Program):
            exec(compile(step.text, f"{page}:{step.line}", "exec"), names)
        else:
            _type(step, shell, page)


def _type(step: Command, shell: Shell, page: Path) -> None:
    code, printed = shell.run(step.words)
    where = f"{page}:{step.line}: {step.words}"
    assert code == step.code, f"{where}\nexit code {code}\n{printed}"
    if step.output is not None:
        assert matches(step.output, printed), f"{where}\nprints\n{printed}"


def test_set_up_is_what_ci_does() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    for line in SET_UP:
        assert f"\n    {line}\n" in text


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_no_command_stands_outside_of_a_block_that_is_run(page: Path) -> None:
    text = re.sub(r"<!-- run\n.*?\n-->", "", page.read_text("utf-8"), flags=re.S)
    outside = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.S | re.M)
    command = r"^(?: {4}|\t)(?:\$ )?(?:[\w./]*resnet-proto|python3?|pip) .*"
    lines = re.findall(command, outside, re.M)
    assert [line for line in lines if line.strip() not in SET_UP] == []


def test_a_page_is_read_as_its_reader_does() -> None:
    text = """
<!-- run
one
-->
```console
$ two \\
    --more
printed
$ three
```

<!-- exit 1 -->
```console
$ four
…
```

<!-- not run: a GPU -->
```console
$ five
```
```yaml title="net.yaml"
depth: 18
```
"""
    assert list(steps(text)) == [
        Command("one", None, 0, 3),
        Command("two \\\n    --more", "printed", 0, 6),
        Command("three", None, 0, 9),
        Command("four", "…", 1, 14),
        File("net.yaml", "depth: 18\n"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "<!-- not run: because -->\n```console\n$ a\n```",
        "<!-- not run: a GPU -->\ntext",
        "```sh\na\n```",
        "```console\na\n```",
    ],
)
def test_a_page_that_hides_a_command_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="line "):
        list(steps(text))


@pytest.mark.parametrize(
    ("wanted", "found", "same"),
    [
        ("a\n…\nd", "a\nb\nc\nd\n", True),
        ("a\n…\nd", "a\nd\n", True),
        ("a …9 z", "a 1.9 z\n", True),
        ("a", "a\nb\n", False),
        ("a.c", "abc\n", False),
        ("a\n…", "b\na\n", False),
    ],
)
def test_dots_are_any_text(wanted: str, found: str, same: bool) -> None:
    assert matches(wanted, found) is same


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    folder = tmp_path / "work"
    folder.mkdir()
    return Shell(folder, monkeypatch)


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("resnet-proto gen resnet20 | resnet-proto validate -", 0, "1 file: no errors\n"),
        ("resnet-proto gen resnet20 > a && resnet-proto validate a", 0, "1 file: no errors\n"),
        ("resnet-proto validate none", 2, "error: none: No such file or directory\n"),
        ("resnet-proto gen resnet20 | false", 1, ""),
        ("python -c 'print(6 * 7)'", 0, "42\n"),
    ],
)
def test_the_shell_of_pages(shell: Shell, line: str, code: int, words: str) -> None:
    assert shell.run(line) == (code, words)
