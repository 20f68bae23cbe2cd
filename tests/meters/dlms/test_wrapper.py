import pytest
from amiplan.meters.dlms import wrapper
from hypothesis import given, settings
from hypothesis import strategies as st


def chopped(data, sizes):
    """``data`` in pieces of the given lengths, over and over."""
    at, pieces = 0, []
    while at < len(data):
        n_bytes = sizes[len(pieces) % len(sizes)]
        pieces.append(data[at : at + n_bytes])
        at += n_bytes
    return pieces


def read(reader, pieces):
    """What a reader hands out, and whether it refused on the way."""
    found = []
    for piece in pieces:
        try:
            found += reader.feed(piece)
        except ValueError:
            break
    return found, reader.broken


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 65535), st.integers(0, 65535), st.binary(max_size=300))
def test_wrapper_returns_and_adds_eight_bytes(source, destination, apdu):
    data = wrapper.pack(source, destination, apdu)
    assert wrapper.unpack(data) == (source, destination, apdu)
    assert len(data) == len(apdu) + 8


@pytest.mark.parametrize(
    "data", ["", "00010001000100", "0002000100010001aa", "0001000100010002aa", "0001000100010000aa"]
)
def test_wrong_wrappers_are_refused(data):
    with pytest.raises(ValueError):
        wrapper.unpack(bytes.fromhex(data))
    with pytest.raises(ValueError):
        wrapper.pack(1, 70000, b"")


SIZES = st.lists(st.integers(1, 50), min_size=1, max_size=8)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=6), SIZES)
def test_a_stream_returns_its_apdus_however_it_is_chopped(apdus, sizes):
    sent = [wrapper.pack(1, 16, apdu) for apdu in apdus]
    reader = wrapper.WrapperReader()
    assert read(reader, chopped(b"".join(sent), sizes)) == (sent, False)
    assert reader.n_kept_bytes == 0


@settings(max_examples=150, deadline=None)
@given(st.lists(st.binary(max_size=20), max_size=3), st.binary(max_size=80), SIZES)
def test_rubbish_ends_alike_however_it_is_chopped(apdus, rubbish, sizes):
    data = b"".join(wrapper.pack(1, 16, apdu) for apdu in apdus) + rubbish
    whole = read(wrapper.WrapperReader(40), [data])
    assert whole == read(wrapper.WrapperReader(40), chopped(data, sizes))
    assert whole == read(wrapper.WrapperReader(40), chopped(data, [1]))
    assert len(whole[0]) >= len(apdus)


def test_a_wrong_header_breaks_the_stream_for_good():
    good = wrapper.pack(1, 16, b"first")
    reader = wrapper.WrapperReader()
    assert reader.feed(good + b"\x00\x02") == [good]
    assert reader.broken
    assert reader.n_kept_bytes == 0
    with pytest.raises(ValueError, match="version"):
        reader.feed(good)
    with pytest.raises(ValueError, match="version"):
        wrapper.WrapperReader().feed(b"\x47")


def test_too_long_announcements_are_refused_at_the_header():
    with pytest.raises(ValueError, match="65535"):
        wrapper.WrapperReader(0)
    with pytest.raises(ValueError, match="more than 1000"):
        wrapper.WrapperReader(1000).feed(wrapper.pack(1, 16, bytes(1001))[:8])
    longest = wrapper.pack(1, 16, bytes(65535))
    reader = wrapper.WrapperReader()
    assert reader.feed(longest[:-1]) == []
    assert reader.n_kept_bytes == 65535 + 8 - 1
    assert reader.feed(longest[-1:]) == [longest]


def test_what_follows_the_first_apdu_is_the_next_header():
    """Sixteen bits cannot announce a million bytes: the rest is read as headers, and refused."""
    reader = wrapper.WrapperReader()
    assert len(reader.feed(wrapper.pack(1, 16, bytes(65535)) + bytes(1_000_000))) == 1
    assert reader.broken
    assert reader.n_kept_bytes == 0
