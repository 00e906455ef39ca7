"""Models in float16 and int8, made of those that ``to_onnx`` makes, and compared with them.

The conversions are onnxruntime's own tools. What is decided here is which layers stay in float32
(``keep``), what a model is tried with (``samples``), and how near the result is (``agreement``).
"""

from prototxt_gen.precision.agreement import Agreement as Agreement
from prototxt_gen.precision.lower import Asked as Asked
from prototxt_gen.precision.lower import Kind as Kind
from prototxt_gen.precision.lower import Lowered as Lowered
from prototxt_gen.precision.lower import lower as lower
from prototxt_gen.precision.samples import pictured as pictured
