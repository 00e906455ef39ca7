"""Whole published nets, to ONNX without their source, back from its structure, and there again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from to_onnx.recorded import assert_close, run_onnx
from to_onnx.test_published import RECORDINGS, net, params

from prototxt_gen import api


@pytest.mark.skipif(not RECORDINGS, reason="no recordings: set PROTOTXT_CORPUS")
@pytest.mark.parametrize("recording", params()[::5])
def test_a_published_net_comes_back_from_its_structure(recording: Path) -> None:
    with np.load(recording) as found:
        graph, inputs = net(recording, found)
        wanted = {name[4:]: found[name] for name in found.files if name.startswith("out.")}
    model = api.to_onnx(graph, metadata=False)
    made = api.from_onnx(model).graph
    assert {ref.blob for ref in made.outputs} >= set(wanted)
    largest = max(float(np.abs(value).max()) for value in wanted.values())
    again = run_onnx(api.to_onnx(made, metadata=False).SerializeToString(), inputs)
    assert_close(again, wanted, 1e-5 * max(1.0, largest), 1e-3)
