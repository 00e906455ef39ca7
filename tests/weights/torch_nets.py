"""A residual net of torchvision's with random weights, computed by PyTorch.

    python3 torch_nets.py resnet18 OUT.npz [OUT.pth]

runs under any interpreter that has torch and torchvision. The archive has the state dict, an
image x and its logits y.
"""

import sys

import numpy as np
import torch
import torchvision


def main(name: str, archive: str, pickled: str = "") -> None:
    torch.manual_seed(0)
    net = getattr(torchvision.models, name)(num_classes=10).eval()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.2, 0.5)
            torch.nn.init.normal_(module.bias, std=0.1)
            torch.nn.init.normal_(module.running_mean, std=0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    x = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        y = net(x)
    state = net.state_dict()
    if pickled:
        torch.save(state, pickled)
    arrays = {key: value.numpy() for key, value in state.items()}
    np.savez(archive, x=x.numpy(), y=y.numpy(), **arrays)


if __name__ == "__main__":
    main(*sys.argv[1:])
