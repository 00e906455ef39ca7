from prototxt_gen.document import Block, Field, Symbol


def test_blocks_are_equal_as_messages() -> None:
    a = Block([Field("top", "x"), Field("bottom", "p"), Field("bottom", "q")])
    b = Block([Field("bottom", "p"), Field("top", "x"), Field("bottom", "q")])
    assert a == b
    assert a != Block([Field("top", "x"), Field("bottom", "q"), Field("bottom", "p")])


def test_equality_looks_at_types() -> None:
    assert Block.of(bias_term=True) != Block.of(bias_term=1)
    assert Block.of(pool="MAX") != Block.of(pool=Symbol("MAX"))


def test_the_last_field_of_a_name_counts() -> None:
    block = Block.of(pad=[1, 2])
    assert block.get("pad", int, 0) == 2
    assert block.get_list("pad", int) == (1, 2)


def test_an_absent_field_has_its_default() -> None:
    block = Block.of(name="x")
    assert block.get("eps", float, 1e-5) == 1e-5
    assert block.get("name", int, 7) == 7
    assert not block.has("eps")


def test_a_copy_is_deep() -> None:
    block = Block.of(inner=Block.of(x=1))
    copy = block.copy()
    copy.block("inner").add("y", 2)
    assert copy != block
    assert len(block.block("inner")) == 1
