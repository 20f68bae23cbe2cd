"""A fleet's ciphering is, byte for byte, what each meter's own channel makes."""

from itertools import pairwise

import numpy as np
import pytest
from amiplan.meters.dlms import axdr, ciphering_many, security
from amiplan.meters.dlms.security import Channel, Keys, seal_many, seal_ragged
from hypothesis import given, settings
from hypothesis import strategies as st

SERVICES = sorted(security.GLO_TAGS)
PEER = b"HEADEND1"


def fleet(n_rows, suite=0, seed=1):
    draw = np.random.default_rng(seed)
    widths = security.SUITES[suite], security.SUITES[suite], 8
    secrets = [draw.integers(0, 256, (n_rows, width), dtype=np.uint8) for width in widths]
    return [*secrets, draw.integers(0, 2**32, n_rows, dtype=np.uint32)]


def one_by_one(apdus, columns, form, protection, suite):
    sealed = []
    for apdu, encryption, authentication, title, counter in zip(apdus, *columns, strict=True):
        keys = Keys(encryption.tobytes(), authentication.tobytes(), suite)
        channel = Channel(keys, title.tobytes(), PEER, int(counter), protection=protection)
        sealed.append(channel.seal_as(form, apdu))
    return sealed


def flat(apdus):
    start = np.concatenate([[0], np.cumsum([len(apdu) for apdu in apdus])]).astype(np.int64)
    return np.frombuffer(b"".join(apdus), np.uint8), start


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(SERVICES), st.integers(0, 300)), min_size=1, max_size=8),
    st.sampled_from([0, 1, 2]),
    st.sampled_from([0x10, 0x20, 0x30]),
    st.booleans(),
)
def test_ragged_rows_are_what_channels_make(shapes, suite, protection, general):
    apdus = [bytes([service]) + bytes(range(256)) * 2 for service, _ in shapes]
    apdus = [apdu[: 1 + length] for apdu, (_, length) in zip(apdus, shapes, strict=True)]
    columns = fleet(len(apdus), suite)
    sealed, at = seal_ragged(*flat(apdus), *columns, general=general, protection=protection, suite=suite)
    expected = one_by_one(apdus, columns, "general_glo" if general else "glo", protection, suite)
    assert [sealed[a:b].tobytes() for a, b in pairwise(at)] == expected
    assert at[-1] == len(sealed)


@pytest.mark.parametrize("n_plain", [1, 110, 111, 238, 239, 3462, 65518, 65519])
@pytest.mark.parametrize("general", [False, True])
def test_equal_rows_are_what_channels_make(n_plain, general):
    """Lengths on both sides of every change of the length field."""
    columns = fleet(3)
    plain = np.random.default_rng(n_plain).integers(0, 256, (3, n_plain), dtype=np.uint8)
    plain[:, 0] = 0xC4
    sealed = seal_many(plain, *columns, 0xCC, general)
    expected = one_by_one([row.tobytes() for row in plain], columns, "general_glo" if general else "glo", 0x30, 0)
    assert sealed.shape == (3, security.sealed_bytes(n_plain, general=general))
    assert [row.tobytes() for row in sealed] == expected


def test_views_and_wide_counters_do_not_matter():
    plain = np.full((6, 20), 0xC4, np.uint8)
    columns = fleet(6)
    wide = [*columns[:3], columns[3].astype(np.int64)]
    every_other = seal_many(plain[::2, ::2], *(column[::2] for column in wide))
    assert (every_other == seal_many(plain[:3, :10], *(column[::2].copy() for column in columns))).all()


def test_no_rows_are_no_rows():
    sealed, at = seal_ragged(np.empty(0, np.uint8), np.zeros(1, np.int64), *fleet(0))
    assert len(sealed) == 0
    assert at.tolist() == [0]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"plain": np.zeros((0, 4), np.uint8)}, "at least one"),
        ({"plain": np.zeros((2, 0), np.uint8)}, "at least one"),
        ({"plain": np.zeros(4, np.uint8)}, "at least one"),
        ({"plain": np.full((2, 4), 0xC4)}, "plain of int64"),
        ({"plain": np.full((2, 4), 0x0F, np.uint8)}, "service 0x0f"),
        ({"glo_tag": 0xC8}, "service 0xc4"),
        ({"encryption_keys": np.zeros((2, 8), np.uint8)}, "encryption_keys"),
        ({"authentication_keys": np.zeros((2, 16))}, "authentication_keys"),
        ({"titles": np.zeros((3, 8), np.uint8)}, "titles"),
        ({"counters": np.array([1, 2**32])}, "32 bits"),
        ({"counters": np.array([-1, 2])}, "32 bits"),
        ({"counters": np.array([1.0, 2.0])}, "counters of float64"),
        ({"counters": np.arange(3)}, "whole numbers"),
        ({"suite": 3}, "suite 3"),
        ({"suite": 2}, "encryption_keys"),
        ({"protection": 0x31}, "protection"),
    ],
)
def test_impossible_fleets_are_refused(changes, says):
    names = "encryption_keys", "authentication_keys", "titles", "counters"
    asked = {"plain": np.full((2, 4), 0xC4, np.uint8), **dict(zip(names, fleet(2), strict=True)), **changes}
    with pytest.raises(ValueError, match=says):
        seal_many(**asked)


@pytest.mark.parametrize("start", [[0, 0, 4], [0, 5, 4], [1, 2, 4], [0, 2, 3], []])
def test_starts_that_do_not_rise_are_refused(start):
    with pytest.raises(ValueError, match="start must rise"):
        seal_ragged(np.full(4, 0xC4, np.uint8), np.array(start, np.int64), *fleet(2))


def test_length_fields_are_as_long_as_the_codec_makes_them():
    lengths = [n + step for n in (128, 2**8, 2**16, 2**24) for step in (-1, 0, 1)]
    expected = [len(axdr.encode_length(length)) for length in lengths]
    assert ciphering_many._length_field_bytes(np.array(lengths)).tolist() == expected
