import pytest
from amiplan.meters.dlms import keywrap
from amiplan.meters.dlms.ciphering import SecurityError
from cryptography.hazmat.primitives.keywrap import aes_key_wrap
from hypothesis import given, settings
from hypothesis import strategies as st

KEY_128 = "00112233445566778899AABBCCDDEEFF"
KEYS = st.sampled_from([16, 32]).flatmap(lambda n: st.binary(min_size=n, max_size=n))


@pytest.mark.parametrize(
    ("n_kek", "key", "wrapped"),
    [
        (16, KEY_128, "1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE5"),
        (32, KEY_128, "64E8C3F9CE0F5BA263E9777905818A2A93C8191E7D6E8AE7"),
        (
            32,
            KEY_128 + "000102030405060708090A0B0C0D0E0F",
            "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21",
        ),
    ],
    ids=["4.1", "4.3", "4.6"],
)
def test_published_vectors(n_kek, key, wrapped):
    """RFC 3394 sections 4.1, 4.3 and 4.6."""
    kek = bytes(range(n_kek))
    assert keywrap.wrap(bytes.fromhex(key), kek).hex().upper() == wrapped
    assert keywrap.unwrap(bytes.fromhex(wrapped), kek).hex().upper() == key


def test_other_programs_make_the_same_bytes():
    """Made with gurux-dlms 1.0.203 and dlms-cosem 25.1.0: D0 ... DF under 00 ... 0F."""
    wrapped = keywrap.wrap(bytes(range(0xD0, 0xE0)), bytes(range(16)))
    assert wrapped.hex() == "c498429ff0b8e698352b17affac7ca6c708d61062e82b6d4"


@settings(max_examples=60, deadline=None)
@given(KEYS, KEYS, st.integers(0, 2**31))
def test_wrapped_keys_come_back_and_no_bit_may_change(key, kek, bit):
    wrapped = keywrap.wrap(key, kek)
    assert len(wrapped) == len(key) + keywrap.WRAP_BYTES
    assert keywrap.unwrap(wrapped, kek) == key
    changed = bytearray(wrapped)
    changed[bit % (8 * len(wrapped)) // 8] ^= 1 << bit % 8
    with pytest.raises(SecurityError) as refused:
        keywrap.unwrap(bytes(changed), kek)
    assert refused.value.kind == "authentication"


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=80))
def test_foreign_bytes_are_refused(data):
    with pytest.raises(SecurityError):
        keywrap.unwrap(data, bytes(16))


@pytest.mark.parametrize("n_bytes", [0, 8, 24, 33])
def test_keys_of_other_lengths_are_refused(n_bytes):
    with pytest.raises(ValueError, match=r"^key of"):
        keywrap.wrap(bytes(n_bytes), bytes(16))
    with pytest.raises(ValueError, match="key-encryption key of"):
        keywrap.wrap(bytes(16), bytes(n_bytes))
    with pytest.raises(ValueError, match="key-encryption key of"):
        keywrap.unwrap(bytes(24), bytes(n_bytes))


def test_a_key_of_no_suite_is_refused_although_it_unwraps():
    with pytest.raises(SecurityError, match="24 or 40"):
        keywrap.unwrap(aes_key_wrap(bytes(16), bytes(24)), bytes(16))
