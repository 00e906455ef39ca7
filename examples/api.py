"""Make a net, check it, and look at its layers."""

from collections import Counter

from prototxt_gen import api
from prototxt_gen.diagnostics import Source, render

text = api.generate(depth=18, classes=10)
source = Source(text.encode(), "resnet18.prototxt")
print(f"{len(text.splitlines())} lines, {len(api.validate(source))} findings")

graph = api.load(source)
for type_, count in Counter(node.type for node in graph.nodes).most_common():
    print(f"{count:4} {type_}")

broken = Source(text.replace("kernel_size: 7", "kernel_size: 700").encode(), "broken.prototxt")
for finding in api.validate(broken):
    print(render(finding, broken))
