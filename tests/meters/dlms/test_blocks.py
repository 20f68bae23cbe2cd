import pytest
from amiplan.meters.dlms import blocks
from amiplan.meters.dlms.blocks import Assembly, GeneralBlock
from hypothesis import given, settings
from hypothesis import strategies as st

numbers = st.integers(0, 65_535)
general_blocks = st.builds(
    GeneralBlock, st.booleans(), st.booleans(), st.integers(0, 63), numbers, numbers, st.binary(max_size=300)
)


def test_known_bytes():
    """Block control, number, number acknowledged, content; the first of them decoded alike by gurux-dlms 1.0.203."""
    request = bytes.fromhex("c001c100030100010800ff0200")
    known = {
        "e08100010000 0d c001c100030100010800ff0200": GeneralBlock(True, False, 1, 1, 0, request),
        "e0430002000103616263": GeneralBlock(False, True, 3, 2, 1, b"abc"),
        "e0830001000300": blocks.acknowledgement(3, 1, 3),
    }
    for encoded, block in known.items():
        assert blocks.encode(block) == bytes.fromhex(encoded)
        assert blocks.decode(bytes.fromhex(encoded)) == block


@settings(max_examples=200, deadline=None)
@given(general_blocks)
def test_blocks_return_and_refuse_every_truncation(block):
    encoded = blocks.encode(block)
    assert blocks.decode(encoded) == block
    assert len(encoded) == blocks.general_block_bytes(len(block.content))
    for cut in (0, 1, 5, 6, len(encoded) - 1):
        with pytest.raises(ValueError):
            blocks.decode(encoded[:cut])
    with pytest.raises(ValueError, match="left over"):
        blocks.decode(encoded + b"\x00")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40), st.sampled_from([b"", b"\xe0"]))
def test_arbitrary_bytes_decode_or_raise_value_error(data, head):
    try:
        block = blocks.decode(head + data)
    except ValueError:
        return
    assert blocks.decode(blocks.encode(block)) == block


@pytest.mark.parametrize(("n_content", "header"), [(1, 7), (127, 7), (128, 8), (255, 8), (256, 9), (1000, 9)])
def test_a_header_has_7_to_9_bytes(n_content, header):
    assert blocks.general_block_bytes(n_content) - n_content == header


@settings(max_examples=150, deadline=None)
@given(st.binary(min_size=1, max_size=3000), st.integers(8, 700), st.integers(1, 63), numbers)
def test_cut_and_assembled(apdu, max_pdu_bytes, window, acknowledged):
    pieces = blocks.cut(apdu, max_pdu_bytes, window, acknowledged=acknowledged)
    assembly = Assembly()
    taken = [assembly.add(blocks.decode(blocks.encode(piece))) for piece in pieces]
    assert taken == [None] * (len(pieces) - 1) + [apdu]
    assert max(len(blocks.encode(piece)) for piece in pieces) <= max_pdu_bytes
    assert [piece.block for piece in pieces] == list(range(1, len(pieces) + 1))
    assert all(piece.acknowledged == acknowledged for piece in pieces)
    waits = [piece.block for piece in pieces if not piece.streaming]
    assert waits == sorted({*range(window, len(pieces), window), len(pieces)})


@pytest.mark.parametrize("max_pdu_bytes", [8, 133, 134, 135, 136, 263, 264, 265, 266, 65_000, 66_000])
def test_the_largest_content_fills_the_pdu(max_pdu_bytes):
    n_content = blocks.largest_content_bytes(max_pdu_bytes)
    assert blocks.general_block_bytes(n_content) <= max_pdu_bytes < blocks.general_block_bytes(n_content + 1)


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=1, max_size=900), st.integers(8, 40), st.integers(1, 63), st.data())
def test_lost_and_doubled_blocks_are_asked_for_again(apdu, max_pdu_bytes, window, data):
    """Whatever a window loses or doubles, sending on behind what is acknowledged completes the very APDU."""
    pieces, assembly, whole = blocks.cut(apdu, max_pdu_bytes, window), Assembly(), None
    for turn in range(400):
        sent = list(blocks.window_after(pieces, assembly.acknowledged, window))
        assert 1 <= len(sent) <= window
        assert [block.streaming for block in sent] == [True] * (len(sent) - 1) + [False]
        fates = data.draw(st.lists(st.integers(0, 2), min_size=len(sent), max_size=len(sent))) if turn < 3 else []
        for block, copies in zip(sent, fates or [1] * len(sent), strict=True):
            for _ in range(copies):
                whole = assembly.add(block) or whole
        if whole:
            break
    assert whole == apdu


def test_blocks_out_of_turn_are_not_taken():
    first, second, third = (GeneralBlock(n == 3, False, 1, n, 0, b"ab") for n in (1, 2, 3))
    assembly = Assembly()
    assert [assembly.add(block) for block in (second, first, third, first)] == [None] * 4
    assert (assembly.acknowledged, assembly.n_refused) == (1, 3)
    assert [assembly.add(second), assembly.add(third)] == [None, b"ababab"]
    assert assembly.add(GeneralBlock(True, False, 1, 4, 0, b"more")) is None
    assert (assembly.acknowledged, assembly.n_refused) == (3, 4)


def test_a_transfer_without_end_is_given_up():
    assembly = Assembly(max_bytes=1000)
    for number in range(1, 11):
        assert assembly.add(GeneralBlock(False, True, 1, number, 0, bytes(100))) is None
    with pytest.raises(ValueError, match="more than 1000 bytes"):
        assembly.add(GeneralBlock(False, True, 1, 11, 0, b"1"))
    assert (assembly.acknowledged, len(assembly._content)) == (0, 0)
    assert assembly.add(GeneralBlock(True, False, 1, 1, 0, b"next")) == b"next"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: blocks.cut(b"", 100, 1), "0 bytes make 0 blocks"),
        (lambda: blocks.cut(bytes(70_000), 8, 1), "70000 blocks"),
        (lambda: blocks.cut(b"ab", 7, 1), "7 bytes cannot carry"),
        (lambda: blocks.cut(b"ab", 100, 0), "window of 0"),
        (lambda: blocks.cut(b"ab", 100, 64), "window of 64"),
        (lambda: blocks.cut(b"ab", 100, 1, acknowledged=65_536) and blocks.encode(
            blocks.cut(b"ab", 100, 1, acknowledged=65_536)[0]), "acknowledged 65536"),
        (lambda: blocks.encode(GeneralBlock(True, False, 64, 1, 0, b"")), "6 bits"),
        (lambda: blocks.encode(GeneralBlock(True, False, 1, 65_536, 0, b"")), "block number 65536"),
        (lambda: blocks.decode(bytes.fromhex("e18100010000026162")), "not a general block"),
        (lambda: blocks.decode(bytes.fromhex("e0810001000084ffffffff")), "cut short"),
    ],
)  # fmt: skip
def test_guards_refuse(call, said):
    with pytest.raises(ValueError, match=said):
        call()
