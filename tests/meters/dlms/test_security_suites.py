"""Suites 0 to 2, the three protections and the four forms, against published vectors and other people's programs."""

import csv
from pathlib import Path

import pytest
from amiplan.meters.dlms import ciphering, security
from amiplan.meters.dlms.security import Channel, Keys, SecurityError
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st

DATA = Path(__file__).parents[2] / "data"
CLIENT, SERVER = bytes.fromhex("4D4D4D0000000001"), bytes.fromhex("4D4D4D0000BC614E")
GET = bytes.fromhex("C0010000080000010000FF0200")
DEDICATED = {16: bytes(range(0x50, 0x60)), 32: bytes(range(0x50, 0x70))}
SUITES = st.sampled_from([0, 1, 2])
PROTECTIONS = st.sampled_from([0x10, 0x20, 0x30])
FORMS = st.sampled_from(security.FORMS)


def rows(name):
    with open(DATA / name, encoding="ascii") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


def keys_of(suite):
    n_key = security.SUITES[suite]
    return Keys(bytes(range(n_key)), bytes(range(0xE0 - n_key, 0xE0)), suite)


def channel(own, peer, suite=0, dedicated=True, **changes):
    key = DEDICATED[security.SUITES[suite]] if dedicated else None
    return Channel(keys_of(suite), own, peer, dedicated=key, **changes)


def pair(suite=0, protection=0x30, **changes):
    changes["protection"] = protection
    return channel(SERVER, CLIENT, suite, **changes), channel(CLIENT, SERVER, suite, protection=protection)


def kind_of(call, *arguments):
    with pytest.raises(SecurityError) as refused:
        call(*arguments)
    return refused.value.kind


# -- an independent GCM of a few lines, itself held against the published vectors -----------------------------------


def block(key, data):
    return int.from_bytes(Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(data), "big")


def times(x, y):
    """Product in GF(2^128) as SP 800-38D 6.3 orders its bits."""
    product = 0
    for bit in range(127, -1, -1):
        product ^= x if y >> bit & 1 else 0
        x = x >> 1 ^ (0xE1 << 120 if x & 1 else 0)
    return product


def reference_gcm(key, vector, plain, associated):
    blocks = range(-(-len(plain) // 16))
    stream = b"".join(block(key, vector + (2 + i).to_bytes(4, "big")).to_bytes(16, "big") for i in blocks)
    sealed = bytes(a ^ b for a, b in zip(plain, stream, strict=False))
    padded = associated + bytes(-len(associated) % 16) + sealed + bytes(-len(sealed) % 16)
    padded += (8 * len(associated)).to_bytes(8, "big") + (8 * len(sealed)).to_bytes(8, "big")
    total, base = 0, block(key, bytes(16))
    for at in range(0, len(padded), 16):
        total = times(total ^ int.from_bytes(padded[at : at + 16], "big"), base)
    return sealed, (total ^ block(key, vector + b"\0\0\0\1")).to_bytes(16, "big")


@pytest.mark.parametrize("row", rows("gcm_vectors.csv"), ids=lambda row: f"case {row['case']}")
def test_published_vectors(row):
    case = {name: bytes.fromhex(value) for name, value in row.items() if name != "case"}
    vector = case["title"] + case["counter"]
    expected = case["cipher"], case["tag"]
    assert reference_gcm(case["key"], vector, case["plain"], case["associated"]) == expected
    keys = Keys(case["key"], bytes(len(case["key"])), 2 if len(case["key"]) == 32 else 0)
    counter = int.from_bytes(case["counter"], "big")
    ours = security.encrypt(case["plain"], keys, case["title"], counter, 0x20)
    assert ours[5:] == case["cipher"]
    assert security.decrypt(ours, keys, case["title"]) == (counter, 0x20, case["plain"])


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=80), SUITES, st.integers(0, 2**32 - 1))
def test_every_protection_agrees_with_the_reference(plain, suite, counter):
    keys, vector = keys_of(suite), SERVER + counter.to_bytes(4, "big")
    for protection in (0x10, 0x20, 0x30):
        control = bytes([protection | suite])
        readable, hidden = (plain, b"") if protection == 0x10 else (b"", plain)
        sealed, tag = reference_gcm(keys.encryption, vector, hidden, control + keys.authentication + readable)
        expected = control + vector[8:] + readable + sealed + (tag[:12] if protection & 0x10 else b"")
        assert security.encrypt(plain, keys, SERVER, counter, protection) == expected
        assert security.decrypt(expected, keys, SERVER) == (counter, protection, plain)


@pytest.mark.parametrize("row", rows("ciphered_apdus.csv"), ids=lambda row: "-".join(list(row.values())[:3]))
def test_other_programs_make_the_same_bytes(row):
    suite, protection, sealed = int(row["suite"]), int(row["protection"], 16), bytes.fromhex(row["sealed"])
    keys = keys_of(suite)
    key, given_keys = None, keys
    if row["form"].endswith("ded"):
        key, given_keys = keys.encryption, Keys(bytes(len(keys.encryption)), keys.authentication, suite)
    sender = Channel(given_keys, SERVER, CLIENT, 0x01234567, protection=protection, dedicated=key)
    receiver = Channel(given_keys, CLIENT, SERVER, protection=protection, dedicated=key)
    assert sender.seal_as(row["form"], GET) == sealed
    assert receiver.open(sealed) == GET
    assert receiver.last_form == row["form"]


@pytest.mark.parametrize(
    ("suite", "proof"),
    [
        (0, "1001234567d5f93354a304d99883883078"),
        (1, "1101234567401273f60fe8a5150b1d0ea6"),
        (2, "1201234567eb6cc3ba17d6c4b2f4529c48"),
    ],
)
def test_proofs_of_every_suite(suite, proof):
    """Made with dlms-cosem 25.1.0 (suite 0 also with gurux-dlms 1.0.203); challenge 40 41 ... 4F."""
    challenge = bytes(range(0x40, 0x50))
    meter, head_end = pair(suite, next_counter=0x01234567)
    assert meter.prove(challenge).hex() == proof
    assert meter.next_counter == 0x01234568
    assert head_end.proves(challenge, bytes.fromhex(proof))
    assert not meter.proves(challenge, bytes.fromhex(proof)), "our own proof mirrored back is not theirs"


def test_tags_of_ciphered_services():
    """IEC 62056-5-3, the choice of xDLMS APDUs; gurux-dlms 1.0.203 has the same numbers."""
    plain = [0x01, 0x08, 0x0E, 0xC0, 0xC1, 0xC2, 0xC3, 0xC4, 0xC5, 0xC7]
    assert [security.GLO_TAGS[tag] for tag in plain] == [33, 40, 46, 0xC8, 0xC9, 0xCA, 0xCB, 0xCC, 0xCD, 0xCF]
    assert [security.DED_TAGS[tag] for tag in plain[2:]] == [78, 0xD0, 0xD1, 0xD2, 0xD3, 0xD4, 0xD5, 0xD7]
    assert len(security.GLO_TAGS) == 10
    assert len(security.DED_TAGS) == 8


# -- what goes through, comes back -----------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300), SUITES, PROTECTIONS, FORMS)
def test_sealed_and_opened_is_the_same(text, suite, protection, form):
    sender, receiver = pair(suite, protection)
    plain = b"\xc4" + text
    sealed = sender.seal_as(form, plain)
    assert len(sealed) == security.sealed_bytes(len(plain), general=form.startswith("general"), protection=protection)
    assert receiver.open(sealed) == plain
    assert receiver.last_form == form
    answer = receiver.seal_as(receiver.last_form, plain)
    assert answer[0] == sealed[0]
    assert sender.open(answer) == plain


def test_the_shorthands_name_their_forms():
    for name, form in (("seal", "glo"), ("seal_general", "general_glo"), ("seal_dedicated", "ded")):
        assert getattr(pair()[0], name)(GET) == pair()[0].seal_as(form, GET)


def test_any_higher_counter_is_accepted_and_the_last_one_is_the_end():
    sender, receiver = pair()
    for counter in (1, 7, 2**16, 2**32 - 1):
        sender.next_counter = counter
        assert receiver.open(sender.seal(GET)) == GET
        assert receiver.last_seen == counter
    with pytest.raises(ValueError, match="exhausted"):
        sender.seal(GET)
    with pytest.raises(ValueError, match="exhausted"):
        sender.prove(bytes(16))


def test_counters_of_the_dedicated_key_are_kept_apart():
    sender, receiver = pair()
    sender.next_counter = 1000
    receiver.open(sender.seal(GET))
    sender.next_counter = 1
    first = sender.seal_dedicated(GET)
    assert receiver.open(first) == GET
    assert (receiver.last_seen, receiver.dedicated_seen[1]) == (1000, 1)
    assert kind_of(receiver.open, first) == "replay"
    assert kind_of(receiver.open, sender.seal(GET)) == "replay"
    another = bytes(range(0x80, 0x90))
    sender.use_dedicated(another)
    receiver.use_dedicated(another)
    sender.next_counter = 1
    assert receiver.open(sender.seal_dedicated(GET)) == GET


# -- what is refused -------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=40), SUITES, st.sampled_from([0x10, 0x30]), FORMS)
def test_every_flipped_bit_is_refused(text, suite, protection, form):
    sender, receiver = pair(suite, protection)
    sealed = sender.seal_as(form, b"\xc0" + text)
    for bit in range(8 * len(sealed)):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ValueError):
            receiver.open(bytes(changed))
    assert (receiver.last_seen, receiver.dedicated_seen, receiver.last_form) == (0, (b"", 0), "")
    assert receiver.open(sealed) == b"\xc0" + text


@settings(max_examples=60, deadline=None)
@given(SUITES, PROTECTIONS, FORMS, st.data())
def test_every_truncation_and_extension_is_refused(suite, protection, form, data):
    sender, receiver = pair(suite, protection)
    sealed = sender.seal_as(form, GET)
    with pytest.raises(ValueError):
        receiver.open(sealed[: data.draw(st.integers(0, len(sealed) - 1))])
    with pytest.raises(ValueError):
        receiver.open(sealed + data.draw(st.binary(min_size=1, max_size=4)))
    assert receiver.last_form == ""


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80), st.sampled_from(sorted(security._FORM_OF_TAG)), st.booleans())
def test_foreign_bytes_are_refused_in_order(data, tag, framed):
    _, receiver = pair()
    content = bytes([tag, len(data)]) + data if framed else bytes([tag]) + data
    with pytest.raises(ValueError):
        receiver.open(content)
    with pytest.raises(ValueError):
        receiver.open(data)


@pytest.mark.parametrize("form", security.FORMS)
@pytest.mark.parametrize("protection", [0x10, 0x30])
@pytest.mark.parametrize("suite", [0, 1, 2])
def test_wrong_keys_and_titles_are_refused(suite, protection, form):
    sealed = pair(suite, protection)[0].seal_as(form, GET)
    n_key, keys = security.SUITES[suite], keys_of(suite)
    right = {"dedicated": DEDICATED[n_key], "protection": protection}
    wrong_authentication = Keys(keys.encryption, bytes(n_key), suite)
    assert kind_of(Channel(wrong_authentication, CLIENT, SERVER, **right).open, sealed) == "authentication"
    assert kind_of(Channel(keys, CLIENT, CLIENT, **right).open, sealed) == "authentication"
    wrong_encryption = Keys(bytes(n_key), keys.authentication, suite)
    if form.endswith("ded"):
        wrong_encryption, right["dedicated"] = keys, bytes(n_key)
    assert kind_of(Channel(wrong_encryption, CLIENT, SERVER, **right).open, sealed) == "authentication"


@pytest.mark.parametrize("form", security.FORMS)
@pytest.mark.parametrize("protection", [0x10, 0x20, 0x30])
def test_replays_are_refused_in_every_form(protection, form):
    sender, receiver = pair(0, protection)
    first, second = sender.seal_as(form, GET), sender.seal_as(form, GET)
    assert receiver.open(second) == GET
    assert kind_of(receiver.open, second) == "replay"
    assert kind_of(receiver.open, first) == "replay"
    assert receiver.open(sender.seal_as(form, GET)) == GET


@pytest.mark.parametrize("demanded", [0x10, 0x20, 0x30])
@pytest.mark.parametrize("sent", [0x10, 0x20, 0x30])
def test_less_protection_than_demanded_is_refused(demanded, sent):
    sender, receiver = pair(0, sent)[0], pair(0, demanded)[1]
    sealed = sender.seal(GET)
    if sent & demanded == demanded:
        assert receiver.open(sealed) == GET
    else:
        assert kind_of(receiver.open, sealed) == "unprotected"


@pytest.mark.parametrize("agreed", [0, 1])
def test_the_other_suite_of_the_same_key_length_is_refused(agreed):
    sender = Channel(Keys(bytes(range(16)), bytes(range(0xD0, 0xE0)), 1 - agreed), SERVER, CLIENT)
    assert kind_of(channel(CLIENT, SERVER, agreed).open, sender.seal(GET)) == "unprotected"


@pytest.mark.parametrize("control", [0x00, 0x40, 0x70, 0x80, 0xB0, 0xF0, 0x33, 0x3F])
@pytest.mark.parametrize("protection", [0x10, 0x20, 0x30])
def test_unknown_control_bits_are_refused(control, protection):
    _, receiver = pair(0, protection)
    content = bytes([control]) + bytes(30)
    assert kind_of(receiver.open, b"\xc8" + bytes([len(content)]) + content) == "unprotected"
    assert kind_of(security.decrypt, content, keys_of(0), SERVER) == "unprotected"


def test_encryption_alone_cannot_notice_a_change():
    """The reason why 0x30 is the default: the changed bit arrives as data."""
    sender, receiver = pair(0, 0x20)
    sealed = bytearray(sender.seal(GET))
    sealed[-1] ^= 1
    assert receiver.open(bytes(sealed)) == GET[:-1] + b"\x01"


def test_an_envelope_that_does_not_fit_the_service_is_refused():
    sender, receiver = pair()
    for form, wrong in (("glo", 0xC9), ("ded", 0xD1)):
        sealed = sender.seal_as(form, GET)
        with pytest.raises(ValueError, match="does not fit"):
            receiver.open(bytes([wrong]) + sealed[1:])
    empty = security.encrypt(b"", keys_of(0), SERVER, 9)
    with pytest.raises(ValueError, match="does not fit"):
        receiver.open(b"\xc8" + bytes([len(empty)]) + empty)
    assert receiver.last_seen == 0


def test_dedicated_forms_need_a_dedicated_key_of_their_own():
    sender, _ = pair()
    without = channel(CLIENT, SERVER, dedicated=False)
    assert kind_of(without.open, sender.seal_dedicated(GET)) == "authentication"
    with pytest.raises(ValueError, match="dedicated"):
        without.seal_dedicated(GET)
    with pytest.raises(ValueError, match="16 bytes"):
        without.use_dedicated(bytes(8))
    with pytest.raises(ValueError, match="global key"):
        without.use_dedicated(keys_of(0).encryption)
    without.dedicated = keys_of(0).encryption
    with pytest.raises(ValueError, match="global key"):
        without.open(b"\xd0" + sender.seal(GET)[1:])
    without.use_dedicated(None)
    assert without.dedicated is None


@pytest.mark.parametrize("n_bytes", [0, 7, 65])
def test_challenges_of_other_lengths_are_refused(n_bytes):
    with pytest.raises(ValueError, match="8 to 64"):
        security.gmac(bytes(n_bytes), keys_of(0), SERVER, 1)


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=8, max_size=64), SUITES, st.integers(0, 8 * 17 - 1))
def test_a_proof_holds_for_its_challenge_only(challenge, suite, bit):
    meter, head_end = pair(suite)
    proof = meter.prove(challenge)
    assert len(proof) == 17
    assert head_end.proves(challenge, proof)
    changed = bytearray(proof)
    changed[bit // 8] ^= 1 << bit % 8
    assert not head_end.proves(challenge, bytes(changed))
    assert not head_end.proves(challenge[:-1] + bytes([challenge[-1] ^ 1]), proof)
    assert not head_end.proves(challenge, proof[:-1])
    assert not head_end.proves(challenge, b"")


def test_passwords_are_compared_whole():
    assert security.same_secret(b"12345678", b"12345678")
    assert not security.same_secret(b"12345678", b"1234567")
    assert not security.same_secret(b"12345678", b"12345679")


def test_impossible_use_is_refused():
    with pytest.raises(ValueError, match="suite 3"):
        Keys(bytes(16), bytes(16), 3)
    with pytest.raises(ValueError, match="32 bytes"):
        Keys(bytes(32), bytes(16), 2)
    for protection in (0x00, 0x31, 0x40):
        with pytest.raises(ValueError, match="protection"):
            channel(CLIENT, SERVER, protection=protection)
        with pytest.raises(ValueError, match="protection"):
            security.encrypt(GET, keys_of(0), SERVER, 1, protection)
        with pytest.raises(ValueError, match="protection"):
            security.sealed_bytes(1, protection=protection)
    with pytest.raises(ValueError, match="form 'plain'"):
        pair()[0].seal_as("plain", GET)
    for form in ("glo", "ded"):
        for apdu in (b"", b"\xd8\x01\x01"):
            with pytest.raises(ValueError, match="ciphered form"):
                pair()[0].seal_as(form, apdu)
    with pytest.raises(ValueError, match="cut short"):
        ciphering.decrypt(b"\x30", keys_of(0), SERVER)
    with pytest.raises(ValueError, match="cut short"):
        ciphering.decrypt(b"\x30" + bytes(15), keys_of(0), SERVER)


def test_keys_do_not_show_when_printed():
    sender, _ = pair()
    shown = repr(sender)
    assert repr(sender.keys.encryption) not in shown
    assert repr(sender.keys.authentication) not in shown
    assert repr(sender.dedicated) not in shown
