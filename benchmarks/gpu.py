"""Converted nets on a CUDA GPU, each beside torch's own export of the same net.

    python benchmarks/gpu.py [NET...] [--batches 1,8,64] [--provider NAME...] [--json FILE]

Needs onnxruntime-gpu, torch and torchvision, and for TensorRT its libraries; a provider that
this onnxruntime does not have is left out with a line. Both models have random weights and the
same input, which stays on the GPU. Each figure is the median of ratios of runs in turns; one
above 1.0 means that the converted model takes longer. It has not been run yet: no machine with
a GPU was at hand.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from measuring import Figure, Run, call, compare

#: A preset, and what torchvision calls the same net.
NETS = {
    "resnet50-tv": "resnet50",
    "resnext50-32x4d": "resnext50_32x4d",
    "wrn50-2": "wide_resnet50_2",
}
PROVIDERS = ("CUDAExecutionProvider", "TensorrtExecutionProvider")
OPSET = 17
WARM, TIMES, ROUNDS = 10, 20, 9  #: runs before any is timed, in one timing, and timings


def ours(preset: str, batch: int) -> onnx.ModelProto:
    """The net, generated and converted."""
    from prototxt_gen import api
    from prototxt_gen.diagnostics import Source

    graph = api.load(Source(api.generate(preset).encode()))
    return api.convert(graph, weights_init="random", batch=batch, opset=OPSET).model


def theirs(name: str, batch: int) -> onnx.ModelProto:
    """Torch's export, with its optimiser on, and a Softmax as ours has one."""
    import torch
    import torchvision

    net = torch.nn.Sequential(torchvision.models.get_model(name), torch.nn.Softmax(1)).eval()
    file = io.BytesIO()
    x = torch.zeros(batch, 3, 224, 224)
    torch.onnx.export(net, (x,), file, opset_version=OPSET, do_constant_folding=True, dynamo=False)
    return onnx.ModelProto.FromString(file.getvalue())


def running(model: onnx.ModelProto, provider: str, half: bool) -> Run:
    """Some runs of a model, whose input and output stay where it computes."""
    options: dict[str, Any] = {}
    if provider.startswith("Tensorrt"):
        options = {"trt_fp16_enable": half}
    elif half:
        from onnxruntime.transformers.float16 import convert_float_to_float16

        model = convert_float_to_float16(model, keep_io_types=True)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=[(provider, options)]
    )
    if session.get_providers()[0] != provider:
        raise SystemExit(f"{provider}: onnxruntime went on without it; see what it says above")
    device = "cpu" if provider.startswith("CPU") else "cuda"
    (given,) = session.get_inputs()
    x = np.random.default_rng(0).normal(size=given.shape).astype(np.float32)
    bound = session.io_binding()
    bound.bind_ortvalue_input(given.name, onnxruntime.OrtValue.ortvalue_from_numpy(x, device, 0))
    for output in session.get_outputs():
        bound.bind_output(output.name, device)

    def some() -> None:
        for _ in range(TIMES):
            session.run_with_iobinding(bound)
        bound.synchronize_outputs()

    for _ in range(WARM):
        session.run_with_iobinding(bound)
    return lambda: call(some)


def measured(nets: list[str], batches: list[int], providers: list[str]) -> Iterator[Figure]:
    for preset in nets:
        for batch in batches:
            pair = ours(preset, batch), theirs(NETS[preset], batch)
            for provider in providers:
                for half in (False, True):
                    runs = (running(pair[0], provider, half), running(pair[1], provider, half))
                    short = provider.removesuffix("ExecutionProvider")
                    what = f"{preset}, batch {batch}, {short}, {'fp16' if half else 'fp32'}"
                    yield compare(what, "torch's export", runs, 1.0, ROUNDS)


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure converted nets on a GPU.")
    parser.add_argument("nets", nargs="*", choices=[*NETS, []], metavar="NET")
    parser.add_argument("--batches", default="1,8,64", metavar="N,...")
    parser.add_argument("--provider", action="append", metavar="NAME")
    parser.add_argument("--json", type=Path, metavar="FILE")
    asked: Any = parser.parse_args()
    known = onnxruntime.get_available_providers()
    wanted = asked.provider or list(PROVIDERS)
    for name in set(wanted) - set(known):
        print(f"{name}: not in this onnxruntime, which has {', '.join(known)}", file=sys.stderr)
    providers = [name for name in wanted if name in known]
    batches = [int(number) for number in asked.batches.split(",")]
    found: list[Figure] = []
    for one in measured(asked.nets or list(NETS), batches, providers) if providers else ():
        found.append(one)
        print(f"{one.what:45} {one.seconds / TIMES * 1000:8.2f} ms {one.ratio:6.2f}", flush=True)
    if asked.json:
        asked.json.write_text(json.dumps([one.as_dict() for one in found], indent=2) + "\n")
    return 0 if found and all(one.holds for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
