"""Layer types that tests load from files."""

from prototxt_gen.layers import outside
from prototxt_gen.layers.base import REGISTRY
from prototxt_gen.layers.proposals import ProposalLayer
from prototxt_gen.layers.python import PYTHON


def forget_layers() -> None:
    """Forget the layer types that were loaded from files; one of ours that was replaced is back."""
    for known in (REGISTRY, PYTHON):
        for name, cls in list(known.items()):
            if cls.__module__.startswith("_resnet_proto_plugin_"):
                del known[name]
    PYTHON["rpn.proposal_layer", "ProposalLayer"] = ProposalLayer
    outside._loaded.clear()
