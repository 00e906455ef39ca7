"""What the tests of fleets share."""

import pytest
from fleet.inline import Inline

from prototxt_gen.cli import fleet_run


@pytest.fixture
def inline(monkeypatch: pytest.MonkeyPatch) -> Inline:
    """The machines of the command, which work in this process."""
    machines = Inline()
    monkeypatch.setattr(fleet_run, "_machines", lambda asked: machines)
    return machines
