"""onnxruntime's tools, without what importing them leaves behind."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def tools() -> Iterator[None]:
    """Where the tools can be imported and used.

    Their package adds its own folder to ``sys.path``, whose modules have names such as
    ``benchmark``; and they give advice about preparing a model, which ours do not need.
    """
    from onnxruntime import transformers

    path, level = list(sys.path), logging.root.manager.disable
    sys.path.append(os.path.dirname(transformers.__file__))
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            # Old releases call what newer ones of onnx will not have.
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        logging.disable(level)
        sys.path[:] = [entry for entry in path if entry != os.path.dirname(transformers.__file__)]
