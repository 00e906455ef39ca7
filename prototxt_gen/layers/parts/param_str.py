"""The settings of a Python layer: one string, in which most classes expect YAML."""

from __future__ import annotations

from typing import Any


def read_settings(text: str) -> dict[str, Any]:
    """The settings of a ``param_str``; a Python tuple in it becomes a list.

    Raises ValueError, whose text says what it is, where it is no YAML mapping.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        """YAML without objects, except for tuples, which published nets have."""

    Loader.yaml_constructors = {
        **yaml.SafeLoader.yaml_constructors,
        "tag:yaml.org,2002:python/tuple": yaml.SafeLoader.construct_yaml_seq,
    }
    try:
        found = yaml.load(text, Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise ValueError(f"no YAML{where}") from error
    if not isinstance(found, dict):
        raise ValueError("no mapping in YAML")
    return {str(key): value for key, value in found.items()}
