import pytest
from amiplan.meters.dlms import security
from amiplan.meters.dlms.security import Channel, Keys, SecurityError
from hypothesis import given, settings
from hypothesis import strategies as st

KEYS = Keys(bytes(range(16)), bytes(range(0xD0, 0xE0)))
CLIENT, SERVER = bytes.fromhex("4D4D4D0000000001"), bytes.fromhex("4D4D4D0000BC614E")


def pair(**changes):
    return Channel(KEYS, SERVER, CLIENT, **changes), Channel(KEYS, CLIENT, SERVER)


def test_ciphered_get_request_of_the_green_book():
    """DLMS UA 1000-2 ed. 8.1 (Green Book) table 40."""
    plain = bytes.fromhex("C0010000080000010000FF0200")
    sender, receiver = pair(next_counter=0x01234567)
    sealed = sender.seal(plain)
    assert sealed.hex().upper() == "C81E3001234567411312FF935A47566827C467BC7D825C3BE4A77C3FCC056B6B"
    assert receiver.open(sealed) == plain


def test_ciphered_initiate_request_of_the_green_book():
    """DLMS UA 1000-2 (Green Book), glo-initiate-request example."""
    plain = bytes.fromhex("01011000112233445566778899AABBCCDDEEFF0000065F1F0400007E1F04B0")
    sealed = pair(next_counter=0x01234567)[0].seal(plain)
    expected = "21303001234567801302FF8A7874133D414CED25B42534D28DB0047720606B175BD52211BE6841DB204D39EE6FDB8E356855"
    assert sealed.hex().upper() == expected


@pytest.mark.parametrize(
    ("title", "counter", "challenge", "tag"),
    [
        (CLIENT, 1, "503677524A323146", "1A52FE7DD3E72748973C1E28"),
        (SERVER, 0x01234567, "4B35366956616759", "FE1466AFB3DBCD4F9389E2B7"),
    ],
)
def test_answers_to_challenges_of_the_green_book(title, counter, challenge, tag):
    """DLMS UA 1000-2 ed. 8.1 (Green Book) table 43, passes 3 and 4."""
    answer = security.gmac(bytes.fromhex(challenge), KEYS, title, counter)
    assert answer.hex().upper() == f"10{counter:08X}{tag}"


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 4000), st.booleans())
def test_lengths_follow_the_size_rule(n_plain, general):
    sender, receiver = pair()
    plain = b"\xc4" + bytes(n_plain)
    sealed = sender.seal_general(plain) if general else sender.seal(plain)
    n_total = n_plain + 1 + 17
    rule = 19 if n_total < 128 else 20 if n_total < 256 else 21
    assert len(sealed) - len(plain) == rule + (9 if general else 0)
    assert len(sealed) == security.sealed_bytes(len(plain), general=general)
    assert receiver.open(sealed) == plain


@pytest.mark.parametrize("general", [False, True])
def test_every_flipped_bit_is_refused(general):
    sender, receiver = pair()
    sealed = sender.seal_general(b"\xc0\x01") if general else sender.seal(b"\xc0\x01\xc1\x00\x03")
    for bit in range(8 * len(sealed)):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ValueError):
            receiver.open(bytes(changed))
    assert receiver.last_seen == 0
    assert receiver.open(sealed)


def test_every_truncation_is_refused():
    sender, receiver = pair()
    sealed = sender.seal(b"\xc0\x01\xc1")
    for cut in range(len(sealed)):
        with pytest.raises(ValueError):
            receiver.open(sealed[:cut])


def kind_of(receiver, sealed):
    with pytest.raises(SecurityError) as refused:
        receiver.open(sealed)
    return refused.value.kind


def test_replays_and_old_counters_are_refused():
    sender, receiver = pair()
    first, second, third = (sender.seal(b"\xc0\x01") for _ in range(3))
    receiver.open(second)
    assert kind_of(receiver, second) == "replay"
    assert kind_of(receiver, first) == "replay"
    assert receiver.open(third) == b"\xc0\x01"


@pytest.mark.parametrize(
    "wrong",
    [Keys(bytes(16), KEYS.authentication), Keys(KEYS.encryption, bytes(16))],
)
def test_wrong_keys_are_refused(wrong):
    sender, _ = pair()
    assert kind_of(Channel(wrong, CLIENT, SERVER), sender.seal(b"\xc0")) == "authentication"
    assert kind_of(Channel(KEYS, CLIENT, CLIENT), sender.seal(b"\xc0")) == "authentication"
    assert kind_of(Channel(KEYS, CLIENT, CLIENT), sender.seal_general(b"\xc0")) == "authentication"


def test_plain_or_weaker_protection_is_refused():
    _, receiver = pair()
    assert kind_of(receiver, b"\xc0\x01\xc1") == "unprotected"
    for control in (0x00, 0x10, 0x20, 0x31):
        content = bytes([control]) + bytes(20)
        assert kind_of(receiver, b"\xc8" + bytes([len(content)]) + content) == "unprotected"


def test_impossible_use_is_refused():
    sender, _ = pair(next_counter=2**32)
    with pytest.raises(ValueError, match="exhausted"):
        sender.seal(b"\xc0")
    with pytest.raises(ValueError, match="ciphered form"):
        pair()[0].seal(b"\x0f")
    with pytest.raises(ValueError, match="16 bytes"):
        Keys(b"short", bytes(16))
    with pytest.raises(ValueError, match="8 bytes"):
        security.initialisation_vector(b"short", 1)
