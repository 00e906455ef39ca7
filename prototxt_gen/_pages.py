"""The templates of ours that print something else than a net."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jinja2

from prototxt_gen._resources import data_dir


def environment(
    *, autoescape: bool, finalize: Callable[[Any], Any] | None = None, **filters: Callable[..., Any]
) -> jinja2.Environment:
    """Where such a template is rendered: what it has no value for is an error."""
    made = jinja2.Environment(
        loader=jinja2.FunctionLoader(shipped_text),
        undefined=jinja2.StrictUndefined,
        autoescape=autoescape,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=finalize,
    )
    made.filters.update(filters)
    return made


def shipped_text(name: str) -> str:
    """A template, or what it includes; a slash in the name is one of folders."""
    return data_dir("templates").joinpath(*name.split("/")).read_text("utf-8")
