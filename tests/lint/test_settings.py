"""What is asked in a file, on the command line, and which of both counts."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prototxt_gen.errors import SpecError
from prototxt_gen.lint.find import find
from prototxt_gen.lint.settings import Configured, Settings


def settings_for(path: str, given: dict[str, Any], config: Path | None = None) -> Settings:
    return Configured(given, config).of(path)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text(
        '[tool.resnet-proto]\nignore = ["old-form"]\ndialect = "ssd"\nfail-on = "warning"\n'
        'exclude = ["third_party", "*.bad.prototxt"]\n'
        '[tool.resnet-proto.per-file-ignores]\n"train/*" = ["smells"]\n'
    )
    (tmp_path / "inner/deep").mkdir(parents=True)
    (tmp_path / "inner/pyproject.toml").write_text('[project]\nname = "another"\n')
    return tmp_path


def test_the_nearest_file_counts(repository: Path) -> None:
    found = settings_for(str(repository / "inner/deep/net.prototxt"), {})
    assert (found.ignore, found.dialect, found.fail_on) == (("old-form",), "ssd", "warning")
    own = repository / "inner/.resnet-proto.toml"
    own.write_text('unknown-types = "error"\n')
    found = settings_for(str(repository / "inner/deep/net.prototxt"), {})
    assert (found.ignore, found.unknown_types) == ((), "error")


def test_the_command_line_outweighs_it(repository: Path) -> None:
    found = settings_for(str(repository / "a.prototxt"), {"dialect": "bvlc", "ignore": ()})
    assert (found.dialect, found.ignore, found.fail_on) == ("bvlc", (), "warning")
    file = repository / "x.toml"
    file.write_text('dialect = "nvcaffe"\n')
    assert settings_for("a.prototxt", {}, file).dialect == "nvcaffe"


def test_nothing_above(tmp_path: Path) -> None:
    assert settings_for(str(tmp_path / "a.prototxt"), {}) == Settings()


@pytest.mark.parametrize(
    ("select", "ignore", "shown", "hidden"),
    [
        (["all"], [], ["old-form", "unused-ignore"], []),
        (["all"], ["old-form"], ["unused-ignore"], ["old-form"]),
        (["all"], ["smells"], [], ["old-form"]),
        (["smells"], [], ["old-form"], ["no-such"]),
        (["old-form"], ["smells"], ["old-form"], ["no-such"]),
        (["old-form"], ["old-form"], [], ["old-form"]),
        (["smells"], ["old-form"], [], ["old-form"]),
    ],
)
def test_what_is_named_itself_outweighs_its_category(
    select: list[str], ignore: list[str], shown: list[str], hidden: list[str]
) -> None:
    settings = Settings(tuple(select), tuple(ignore))
    assert [rule for rule in (*shown, *hidden) if settings.shows(rule, "a")] == shown


def test_patterns_are_of_the_folder_of_the_file(repository: Path) -> None:
    def at(name: str) -> tuple[Settings, str]:
        path = str(repository / name)
        return settings_for(path, {"ignore": ()}), path

    settings, path = at("train/net.prototxt")
    assert not settings.shows("old-form", path)
    settings, path = at("deploy/net.prototxt")
    assert settings.shows("old-form", path)
    for name in ("third_party/a/b.prototxt", "x/y.bad.prototxt"):
        settings, path = at(name)
        assert settings.leaves_out(path), name
    settings, path = at("x/third_party.prototxt")
    assert not settings.leaves_out(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a = ", "expected TOML"),
        ("selct = []", "unknown key 'selct'; did you mean 'select'?"),
        ("foo = 1", "unknown key 'foo'; there are select, ignore"),
        ('select = "all"', "select is 'all'; expected a list of texts"),
        ('ignore = ["old-from"]', "there is no rule 'old-from'; did you mean 'old-form'?"),
        ('dialect = "sssd"', "dialect is 'sssd'; expected bvlc"),
        ('fail-on = "note"', "fail-on is 'note'; expected error, warning"),
        ("unknown-types = [1]", "unknown-types is [1]; expected error, warning, ignore"),
        ("exclude = [1]", "exclude is [1]; expected a list of texts"),
        ('per-file-ignores = ["a"]', "per-file-ignores is no table"),
        ('[per-file-ignores]\n"*" = ["x"]', "per-file-ignores.*: there is no rule 'x'"),
        ('plugin = ["a.py"]', "unknown key 'plugin'"),
        ("proto = 1", "proto is 1; expected a text"),
        ("dialect = 1", "dialect is 1; expected a text"),
        ('dialect = "ssd,nvcafe"', "dialect is 'ssd,nvcafe'; expected bvlc"),
        ('unknown-fields = "maybe"', "expected error, warning, ignore"),
    ],
)
def test_what_is_wrong_in_it(text: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / ".resnet-proto.toml"
    file.write_text(text)
    with pytest.raises(SpecError) as caught:
        settings_for(str(tmp_path / "a.prototxt"), {})
    assert str(file) in caught.value.message and words in caught.value.message


def test_files_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("b/x.prototxt", "a.prototxt", "b/.git/y.prototxt", "b/n.txt", "b/c/z.prototxt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    monkeypatch.chdir(tmp_path)
    every = ["a.prototxt", "b/c/z.prototxt", "b/x.prototxt"]

    def found(*paths: str, out: Callable[[str], bool] = lambda _: False) -> list[str]:
        return list(find(paths, failed.append, out))

    failed: list[OSError] = []
    assert found(".") == [f"./{name}" for name in every]
    assert found("b", "a.prototxt", "./b/x.prototxt") == every[1:] + every[:1]
    assert found("**/*.prototxt") == every
    assert found("b/n.txt", "-", "missing", out=lambda _: True) == ["b/n.txt", "-", "missing"]
    assert found("b", out=lambda path: path.endswith("z.prototxt")) == ["b/x.prototxt"]
    (tmp_path / "[x].prototxt").write_text("")
    assert found("[x].prototxt") == ["[x].prototxt"]
    assert failed == []
    (tmp_path / "e").mkdir()
    assert found("*.pt", "e") == []
    told = [(error.filename, error.strerror) for error in failed]
    assert told == [("*.pt", "no file fits it"), ("e", "no file *.prototxt in it")]


def test_a_folder_that_cannot_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b.prototxt").write_text("")
    real, failed = os.scandir, []

    def scandir(path: str) -> Any:
        if str(path).endswith("/a"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert list(find([str(tmp_path)], failed.append)) == [str(tmp_path / "b.prototxt")]
    assert [error.filename for error in failed] == [str(tmp_path / "a")]
