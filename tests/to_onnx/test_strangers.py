"""The deploy nets of public repositories: each converts, or is refused with its reasons."""

from __future__ import annotations

from pathlib import Path

import pytest
from to_onnx.strangers import deploy_nets, outcome

pytestmark = [pytest.mark.nets, pytest.mark.filterwarnings("ignore")]


def test_nearly_all_convert_but_those_with_layers_of_their_authors(corpus: Path) -> None:
    """Anything but UnsupportedError would end the test."""
    found = [outcome(*one) for one in deploy_nets(corpus)]
    others = [one for one in found if not one.python]
    assert len(others) > 20
    refused = {one.name: one.reasons for one in others if one.reasons}
    assert len(refused) <= 0.03 * len(others), refused
