"""Products of matrices."""

import numpy as np
import pytest
from lifting import lifted, model, refusal, types

RANDOM = np.random.default_rng(3)


def weights(**shapes):
    return {n: RANDOM.standard_normal(s).astype(np.float32) for n, s in shapes.items()}


def only(made, type):
    (node,) = (one for one in made.graph.nodes if one.type == type)
    return node


IP = ["InnerProduct"]
PRODUCTS = [
    ("y = Gemm<transB=1>(x, w, b)", "2,3", "2,4", weights(w=(4, 3), b=(4,)), IP),
    ("y = Gemm(x, w, b)", "2,3", "2,4", weights(w=(3, 4), b=(1, 4)), IP),
    ("y = Gemm(x, w, b)", "2,3", "2,4", weights(w=(3, 4), b=()), IP),
    ("y = Gemm(x, w)", "2,3", "2,4", weights(w=(3, 4)), IP),
    ("y = Gemm<alpha=0.5, beta=2.0>(x, w, b)", "2,3", "2,4", weights(w=(3, 4), b=(4,)), IP),
    ("y = Gemm<beta=0.0>(x, w, b)", "2,3", "2,4", weights(w=(3, 4), b=(4,)), IP),
    ("y = Gemm(x, w, b)", "2,3", "2,4", weights(w=(3, 4), b=(2, 4)), [*IP, "Bias"]),
    ("y = Gemm<beta=2.0>(x, w, b)", "2,3", "2,4", weights(w=(3, 4), b=(2, 1)), [*IP, "Bias"]),
    ("h = Relu(x) y = Gemm<beta=0.5>(x, w, h)", "2,3", "2,3", weights(w=(3, 3)),
     ["ReLU", *IP, "Eltwise"]),
    ("y = Gemm(w, x)", "2,3", "4,3", weights(w=(4, 2)), ["Convolution"]),
    ("y = Gemm<transA=1>(w, x, b)", "2,3", "4,3", weights(w=(2, 4), b=(3,)),
     ["Convolution", "Bias"]),
    ("y = Gemm<transA=1>(x, w)", "1,3", "3,4", weights(w=(1, 4)), ["Reshape", *IP]),
    ("y = MatMul(x, w)", "2,3", "2,4", weights(w=(3, 4)), IP),
    ("y = MatMul(x, w)", "3", "4", weights(w=(3, 4)), IP),
    ("y = MatMul(x, w)", "2,5,3", "2,5,4", weights(w=(3, 4)), IP),
    ("y = MatMul(x, w)", "2,6,5,3", "2,6,5,4", weights(w=(3, 4)), IP),
    ("y = MatMul(x, w)", "2,5,3", "2,5,4", weights(w=(1, 3, 4)), IP),
    ("y = MatMul(x, w)", "2,5,3", "2,5", weights(w=(3,)), [*IP, "Flatten"]),
    ("y = MatMul(w, x)", "2,3,5", "2,4,5", weights(w=(4, 3)), ["Convolution"]),
    ("y = MatMul(w, x)", "3,5", "4,5", weights(w=(4, 3)), ["Convolution"]),
    ("y = MatMul(w, x)", "2,6,3,5", "2,6,4,5", weights(w=(4, 3)), ["Convolution"]),
    ("h = MatMul(x, w) y = Add(h, b)", "2,3", "2,4", weights(w=(3, 4), b=(4,)), IP),
    ("h = MatMul(x, w) y = Add(b, h)", "2,5,3", "2,5,4", weights(w=(3, 4), b=(1, 1, 4)), IP),
    ("h = MatMul(x, w) y = Add(h, b)", "2,3", "2,4", weights(w=(3, 4), b=()), IP),
    ("h = Gemm(x, w) y = Add(h, b)", "2,3", "2,4", weights(w=(3, 4), b=(4,)), IP),
    ("h = Gemm<beta=3.0>(x, w) y = Add(h, b)", "2,3", "2,4", weights(w=(3, 4), b=(4,)), IP),
    ("h = Flatten(x) y = Gemm<transB=1>(h, w, b)", "2,3,4,5", "2,7",
     weights(w=(7, 60), b=(7,)), IP),
    ("h = Flatten(x) i = MatMul(h, w) y = Add(i, b)", "2,3,4", "2,7",
     weights(w=(12, 7), b=(7,)), IP),
]  # fmt: skip


@pytest.mark.parametrize(("body", "source", "top", "given", "wanted"), PRODUCTS)
def test_products(body, source, top, given, wanted):
    made = lifted(model(body, f"float[{source}] x", f"float[{top}] y", **given))
    assert types(made) == wanted


def test_weights_are_those_of_the_model_bit_for_bit():
    given = weights(w=(4, 3), b=(4,))
    made = lifted(model("y = Gemm<transB=1>(x, w, b)", "float[2,3] x", "float[2,4] y", **given))
    for found, wanted in zip(made.graph.stored["y"], given.values(), strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    ("body", "axis"),
    [
        ("h = Reshape(x, s) y = MatMul(h, w)", 1),
        ("h = Reshape(x, t) y = MatMul(h, v)", 2),
        ("h = Squeeze(x, q) y = MatMul(h, u)", 3),
    ],
)
def test_a_reshape_before_a_product_is_its_axis(body, axis):
    given = weights(w=(60, 7), v=(20, 7), u=(5, 7)) | {
        "s": np.array([2, -1]), "t": np.array([0, 0, 20]), "q": np.array([4])
    }  # fmt: skip
    proto = model(body, "float[2,3,4,5,1] x", "float[n] y", **given)
    del proto.graph.output[0].type.tensor_type.shape.dim[:]
    proto.graph.output[0].type.tensor_type.ClearField("shape")
    made = lifted(proto)
    assert types(made) == IP
    assert only(made, "InnerProduct").layer.axis == axis


def test_a_flatten_with_other_readers_stays():
    body = "h = Flatten(x) y = Gemm(h, w) z = Relu(h)"
    outputs = "float[2,7] y, float[2,60] z"
    made = lifted(model(body, "float[2,3,4,5] x", outputs, **weights(w=(60, 7))))
    assert types(made) == ["Flatten", *IP, "ReLU"]


@pytest.mark.parametrize("dense", ["Gemm(f, w)", "Gemm<transB=1>(f, v)", "MatMul(f, w)"])
def test_a_transposition_before_a_flatten_goes_into_the_weights(dense):
    body = f"h = Transpose<perm=[0,2,3,1]>(x) f = Flatten(h) y = {dense}"
    given = weights(w=(60, 7))
    given["v"] = np.ascontiguousarray(weights(w=(60, 7))["w"].T)
    assert types(lifted(model(body, "float[2,3,4,5] x", "float[2,7] y", **given))) == IP


def test_products_of_computed_matrices_are_refused():
    for body in ("h = Relu(x) y = MatMul(x, h)", "h = Relu(x) y = Gemm(x, h)"):
        words = refusal(model(body, "float[3,3] x", "float[3,3] y"))
        assert "both matrices are computed from the inputs" in words


def test_a_matrix_for_each_image_is_refused():
    proto = model("y = MatMul(x, w)", "float[2,5,3] x", "float[2,5,4] y", **weights(w=(2, 3, 4)))
    assert "another matrix for each image" in refusal(proto)


def test_a_transposed_bottom_is_cut_or_permuted():
    proto = model("y = Gemm<transA=1>(x, w)", "float[2,3] x", "float[3,4] y", **weights(w=(2, 4)))
    assert "Concat" in types(lifted(proto))
    assert types(lifted(proto, "ssd")) == ["Permute", *IP]


INDICES = np.array([[0, 3, 1], [2, 2, 0]])
TABLES = [
    ("y = Gather(w, i)", "2,3,5", weights(w=(4, 5)), ["Embed"]),
    ("h = Gather(w, i) y = Add(h, b)", "2,3,5", weights(w=(4, 5), b=(5,)), ["Embed"]),
    ("y = Gather(w, i)", "2,3", weights(w=(4,)), ["Embed", "Flatten"]),
    ("y = Gather(w, i)", "2,3,5,2", weights(w=(4, 5, 2)), ["Embed", "Reshape"]),
]


@pytest.mark.parametrize(("body", "top", "given", "wanted"), TABLES)
def test_rows_of_a_table(body, top, given, wanted):
    made = lifted(model(body, "int64[2,3] i", f"float[{top}] y", **given), i=INDICES)
    assert types(made) == wanted


def test_indices_may_be_floats():
    proto = model(
        "j = Cast<to=7>(i) y = Gather(w, j)", "float[2,3] i", "float[2,3,5] y", **weights(w=(4, 5))
    )
    assert types(lifted(proto, i=INDICES)) == ["Embed"]


def test_rows_of_a_blob():
    proto = model("y = Gather(x, i)", "float[4,5] x, int64[3] i", "float[3,5] y")
    assert types(lifted(proto, i=[3, 0, 0])) == ["BatchReindex"]
    across = model("y = Gather<axis=1>(x, i)", "float[4,5] x, int64[3] i", "float[4,3] y")
    assert "it selects by computed indices" in refusal(across)


def test_what_mixes_images_is_not_part_of_a_product():
    given = weights(w=(4, 7), v=(8, 7)) | {"s": np.array([6, 4])}
    rows = model("h = Reshape(x, s) y = MatMul(h, w)", "float[2,3,4] x", "float[6,7] y", **given)
    assert types(lifted(rows)) == ["Flatten", *IP]
    body = "t = Transpose<perm=[1,0,2]>(x) h = Flatten(t) y = MatMul(h, v)"
    turned = model(body, "float[2,3,4] x", "float[3,7] y", **given)
    assert types(lifted(turned, "ssd")) == ["Permute", *IP]


def test_a_number_is_added_to_the_rows_of_a_table():
    table = np.arange(4, dtype=np.float32).reshape(4, 1)
    proto = model(
        "r = Gather(t, i) y = Add(r, c)", "int64[3] i", "float[3,1] y", t=table, c=np.float32(2)
    )
    assert types(lifted(proto, i=[2, 0, 3])) == ["Embed"]
