from itertools import permutations

import pytest
from amiplan.meters.dlms import acse, apdu
from amiplan.meters.dlms.acse import Association, Conformance, Initiate, Mechanism, Release
from hypothesis import given, settings
from hypothesis import strategies as st

bytes_ = st.integers(0, 255)
filled = st.binary(min_size=1, max_size=200)
requests = st.builds(
    lambda context, initiate, named, title: Association(context, initiate, *named[:1], title, *named[1:]),
    bytes_,
    st.binary(max_size=300),
    st.one_of(st.just((0, b"")), st.tuples(st.integers(1, 255), st.binary(max_size=200))),
    st.binary(max_size=40),
)
responses = st.builds(
    lambda asked, result, diagnostic, provider: Association(
        asked.context, asked.initiate, asked.mechanism, asked.title, asked.challenge, result, diagnostic, provider
    ),
    requests,
    st.integers(0, 127),
    st.integers(0, 127),
    st.booleans(),
)
conformances = st.integers(0, 2**24 - 1).map(Conformance)
qualities = st.one_of(st.none(), st.integers(-128, 127))
initiates = st.one_of(
    st.builds(
        Initiate,
        conformances,
        st.integers(0, 65_535),
        dedicated_key=st.binary(max_size=200),
        quality=qualities,
        response_allowed=st.booleans(),
    ),
    st.builds(
        Initiate,
        conformances,
        st.integers(0, 65_535),
        response=st.just(True),
        quality=qualities,
        name=st.integers(0, 65_535),
    ),
)

ASKED = Association(3, bytes(33), Mechanism.HLS_GMAC, b"AMPHEAD0", bytes(16))
ANSWERED = Association(3, bytes(33), Mechanism.HLS_GMAC, b"AMP12345", bytes(16), acse.ACCEPTED, 14)


@pytest.mark.parametrize(
    ("association", "n_bytes"),
    [
        (Association(acse.CONTEXT_PLAIN, acse.initiate_request(1024)), 31),
        (Association(acse.CONTEXT_PLAIN, acse.initiate_response(1024), result=0), 43),
        (Association(3, acse.initiate_request(1024), 5, bytes(8), bytes(16)), 76),
        (ASKED, 95),
        (ANSWERED, 107),
    ],
)
def test_lengths_of_association_steps(association, n_bytes):
    encoded = acse.encode(association)
    assert len(encoded) == n_bytes
    assert acse.decode(encoded) == association
    for cut in range(len(encoded)):
        with pytest.raises(ValueError):
            acse.decode(encoded[:cut])
    with pytest.raises(ValueError):
        acse.decode(encoded + b"\x00")


def test_association_request_of_the_green_book():
    """DLMS UA 1000-2 (Green Book), AARQ example: ciphered context, low level security, glo-initiate request."""
    initiate = "21303001234567801302FF8A7874133D414CED25B42534D28DB0047720606B175BD52211BE6841DB204D39EE6FDB8E356855"
    expected = (
        "6066A109060760857405080103A60A04084D4D4D0000BC614E8A0207808B0760857405080201AC0A80083132333435363738BE340432"
    )
    asked = Association(3, bytes.fromhex(initiate), 1, bytes.fromhex("4D4D4D0000BC614E"), b"12345678")
    assert acse.encode(asked).hex().upper() == expected + initiate
    assert acse.decode(bytes.fromhex(expected + initiate)) == asked


def test_password_association():
    """LLS, plain; decoded alike by gurux-dlms 1.0.203."""
    encoded = "6036a1090607608574050801018a0207808b0760857405080201ac0a80083132333435363738be10040e"
    asked = acse.decode(bytes.fromhex(encoded) + acse.initiate_request(1024))
    assert (asked.mechanism, asked.challenge, asked.context) == (Mechanism.LLS, b"12345678", 1)
    assert acse.encode(asked).hex() == encoded + acse.initiate_request(1024).hex()


@settings(max_examples=200, deadline=None)
@given(st.one_of(requests, responses))
def test_associations_return(association):
    """Lengths above 127 and 255 included: a ciphered initiate with a dedicated key, the challenges of mechanism 7."""
    assert acse.decode(acse.encode(association)) == association


@settings(max_examples=100, deadline=None)
@given(st.builds(Release, st.booleans(), st.one_of(st.none(), st.integers(0, 127)), st.binary(max_size=200)))
def test_releases_return(release):
    encoded = acse.encode_release(release)
    assert acse.decode_release(encoded) == release
    for cut in range(len(encoded)):
        with pytest.raises(ValueError):
            acse.decode_release(encoded[:cut])


def test_known_releases():
    assert acse.decode_release(acse.RELEASE_REQUEST) == Release()
    assert acse.decode_release(acse.RELEASE_RESPONSE) == Release(response=True)
    assert (len(acse.RELEASE_REQUEST), len(acse.RELEASE_RESPONSE)) == (5, 5)
    assert acse.decode_release(b"\x62\x00") == Release(reason=None)
    with_information = bytes.fromhex("6215800100be10040e") + acse.initiate_request(1024)
    assert acse.decode_release(with_information) == Release(information=acse.initiate_request(1024))


@settings(max_examples=200, deadline=None)
@given(initiates)
def test_initiate_services_return(initiate):
    encoded = acse.encode_initiate(initiate)
    assert acse.decode_initiate(encoded) == initiate
    for cut in range(len(encoded)):
        with pytest.raises(ValueError):
            acse.decode_initiate(encoded[:cut])
    with pytest.raises(ValueError):
        acse.decode_initiate(encoded + b"\x00")


@settings(max_examples=400, deadline=None)
@given(
    st.binary(max_size=80),
    st.sampled_from([b"", b"\x60", b"\x61", b"\x62", b"\x63", b"\x01\x00\x00\x00\x06\x5f", b"\x08\x00\x06\x5f"]),
    st.booleans(),
)
def test_arbitrary_bytes_decode_or_raise_value_error(data, head, fitting):
    body = bytes([len(data)]) + data if fitting else data
    for decode in (acse.decode, acse.decode_release, acse.decode_initiate):
        try:
            assert decode(head + body) is not None
        except ValueError:
            continue


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([ASKED, ANSWERED]), st.data())
def test_damaged_associations_decode_or_raise_value_error(association, data):
    damaged = bytearray(acse.encode(association))
    damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        read = acse.decode(bytes(damaged))
    except ValueError:
        return
    assert acse.decode(acse.encode(read)) == read


# -- what other clients and meters send ------------------------------------------------------------------------------


def outer(tag, *fields):
    body = b"".join(fields)
    return bytes([tag]) + (bytes([len(body)]) if len(body) < 128 else bytes([0x81, len(body)])) + body


CONTEXT = bytes.fromhex("a109060760857405080101")
INFORMATION = b"\xbe\x10\x04\x0e" + acse.initiate_request(500)
PLAIN = Association(1, acse.initiate_request(500))


def test_fields_come_in_any_order():
    fields = (CONTEXT, bytes.fromhex("a60a0408414d504845414430"), INFORMATION, bytes.fromhex("80020284"))
    expected = Association(1, acse.initiate_request(500), title=b"AMPHEAD0")
    assert {acse.decode(outer(0x60, *order)) for order in permutations(fields)} == {expected}


@pytest.mark.parametrize(
    "field",
    [
        "80020780",  # protocol version
        "a20a0408414d503132333435",  # called AP title
        "a3030401ff",  # called AE qualifier
        "a403020105",  # called AP invocation id
        "a503020105",  # called AE invocation id
        "a7810504030102 03",  # calling AE qualifier (a certificate with mechanism 7), long-form length
        "a803020101",  # calling AP invocation id
        "a903020107",  # calling AE invocation id: the user id
        "8a0207 80",  # ACSE requirements without a mechanism
        "bd020400",  # implementation information
    ],
)
def test_fields_without_use_are_passed_over(field):
    data = outer(0x60, CONTEXT, bytes.fromhex(field), INFORMATION)
    assert acse.decode(data) == PLAIN


def test_lengths_in_long_form():
    """0x81 and 0x82 in front of lengths that one byte would hold."""
    initiate = acse.initiate_request(500)
    information = b"\xbe\x82\x00\x11\x04\x81\x0e" + initiate
    context = bytes.fromhex("a1810a06810760857405080101")
    body = context + information
    assert acse.decode(b"\x60\x82" + len(body).to_bytes(2, "big") + body) == PLAIN


def test_long_fields_are_written_in_long_form():
    asked = Association(3, b"\x21" + bytes(200), Mechanism.HLS_ECDSA, b"AMPHEAD0", bytes(range(64)) * 2)
    encoded = acse.encode(asked)
    assert encoded[:2] == b"\x60\x82"
    assert acse.decode(encoded) == asked


def test_responder_fields_and_user_information_may_be_absent():
    refused = bytes.fromhex("6117a109060760857405080101a203020101a305a10302010d")
    assert acse.decode(refused) == Association(1, b"", result=acse.REJECTED, diagnostic=13)
    assert acse.decode(outer(0x60, CONTEXT)) == Association(1, b"")
    provider = bytes.fromhex("6117a109060760857405080101a203020101a305a203020102")
    told = acse.decode(provider)
    assert told.provider
    assert told.diagnostic == acse.ProviderDiagnostic.NO_COMMON_ACSE_VERSION
    assert acse.encode(told) == provider


def test_names_of_contexts_mechanisms_and_diagnostics():
    assert [int(context) for context in acse.Context] == [1, 2, 3, 4]
    assert [int(mechanism) for mechanism in Mechanism] == list(range(8))
    assert [int(diagnostic) for diagnostic in acse.Diagnostic] == list(range(15))
    assert acse.AUTHENTICATION_FAILED == 13
    assert acse.Diagnostic(11).name == "AUTHENTICATION_MECHANISM_NAME_NOT_RECOGNISED"


NAMED = [
    "RESERVED_ZERO",
    "GENERAL_PROTECTION",
    "GENERAL_BLOCK_TRANSFER",
    "READ",
    "WRITE",
    "UNCONFIRMED_WRITE",
    "DELTA_VALUE_ENCODING",
    "RESERVED_SEVEN",
    "ATTRIBUTE_0_WITH_SET",
    "PRIORITY_MANAGEMENT",
    "ATTRIBUTE_0_WITH_GET",
    "BLOCK_TRANSFER_WITH_GET",
    "BLOCK_TRANSFER_WITH_SET",
    "BLOCK_TRANSFER_WITH_ACTION",
    "MULTIPLE_REFERENCES",
    "INFORMATION_REPORT",
    "DATA_NOTIFICATION",
    "ACCESS",
    "PARAMETERIZED_ACCESS",
    "GET",
    "SET",
    "SELECTIVE_ACCESS",
    "EVENT_NOTIFICATION",
    "ACTION",
]


def test_conformance_bits_count_from_the_first_of_24():
    """Positions as both gurux-dlms 1.0.203 and dlms-cosem 25.1.0 have them."""
    assert {name: Conformance[name] for name in NAMED} == {name: 1 << (23 - bit) for bit, name in enumerate(NAMED)}
    assert len(Conformance) == len(NAMED) == 24
    assert Conformance.GENERAL_BLOCK_TRANSFER not in acse.OFFERED


def test_initiate_of_the_green_book():
    """DLMS UA 1000-2, InitiateRequest and InitiateResponse of the worked examples, plain and with a dedicated key."""
    plain = bytes.fromhex("01000000065f1f0400007e1f04b0")
    assert acse.decode_initiate(plain) == Initiate(Conformance(0x007E1F), 1200)
    keyed = bytes.fromhex("01011000112233445566778899aabbccddeeff0000065f1f0400007e1f04b0")
    key = bytes.fromhex("00112233445566778899aabbccddeeff")
    assert acse.decode_initiate(keyed) == Initiate(Conformance(0x007E1F), 1200, dedicated_key=key)
    answer = bytes.fromhex("0800065f1f0400007c1f04000007")
    assert acse.decode_initiate(answer) == Initiate(Conformance(0x007C1F), 1024, response=True)
    for encoded in (plain, keyed, answer):
        assert acse.encode_initiate(acse.decode_initiate(encoded)) == encoded


def test_the_older_tag_of_the_conformance_block():
    assert acse.decode_initiate(bytes.fromhex("01000000065f0400007e1f04b0")).max_pdu_bytes == 1200


def test_initiate_carries_the_largest_apdu_of_the_other_side():
    assert acse.initiate_max_pdu(acse.initiate_request(512)) == 512
    assert acse.initiate_max_pdu(acse.initiate_response(640)) == 640
    key = bytes(range(16))
    asked = acse.decode_initiate(acse.initiate_request(512, Conformance.GET, key))
    assert asked == Initiate(Conformance.GET, 512, dedicated_key=key)
    agreed = acse.decode_initiate(acse.initiate_response(512, Conformance.GET | Conformance.ACTION))
    assert agreed.conformance == Conformance.GET | Conformance.ACTION


def test_another_version_is_told_apart():
    for version in (0, 5, 7, 255):
        with pytest.raises(acse.VersionError, match=f"version {version}"):
            acse.decode_initiate(bytes.fromhex("01000000") + bytes([version]) + bytes.fromhex("5f1f0400007e1f04b0"))
    with pytest.raises(acse.VersionError):
        acse.decode_initiate(bytes.fromhex("0800055f1f0400007c1f04000007"))
    errors = (
        acse.DLMS_VERSION_TOO_LOW,
        acse.INCOMPATIBLE_CONFORMANCE,
        acse.PDU_SIZE_TOO_SHORT,
        acse.REFUSED_BY_HANDLER,
    )
    assert [apdu.decode(error) for error in errors] == [apdu.ConfirmedServiceError(1, 6, n) for n in (1, 2, 3, 4)]


CONTEXT_HEX = CONTEXT.hex()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("", "cut short"),
        ("6200", "0x60 expected"),
        ("6000", "0xa1 is missing"),
        ("600ba109060760857405080201", "not a DLMS name"),
        ("600ba109060760857405090101", "not a DLMS name"),
        ("600ca10a06086085740508010101", "not a DLMS name"),
        ("600ba109040760857405080101", "0x06 expected"),
        ("6016" + CONTEXT_HEX + CONTEXT_HEX, "stands twice"),
        ("6080" + CONTEXT_HEX + "0000", "length field"),
        ("600c" + CONTEXT_HEX, "announces 12 bytes"),
        ("600a" + CONTEXT_HEX, "announces 10 bytes"),
        ("6013" + CONTEXT_HEX + "ac06800431323334", "needs a mechanism name"),
        ("610b" + CONTEXT_HEX, "0xa3 is missing"),
        ("6112" + CONTEXT_HEX + "a305a10302010d", "0xa2 is missing"),
        ("6117" + CONTEXT_HEX + "a203020180a305a10302010d", "one byte of 0 to 127"),
        ("6117" + CONTEXT_HEX + "a203020101a305a00302010d", "0xa1 expected"),
        ("6118" + CONTEXT_HEX + "a20402020101a305a10302010d", "result of 2 bytes"),
    ],
)
def test_wrong_associations_are_refused(data, said):
    with pytest.raises(ValueError, match=said):
        acse.decode(bytes.fromhex(data))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("6000", "0x62 expected"),
        ("620480020000", "release reason of 2 bytes"),
        ("6203be0100", "0x04 expected"),
    ],
)
def test_wrong_releases_are_refused(data, said):
    with pytest.raises(ValueError, match=said):
        acse.decode_release(bytes.fromhex(data))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("", "cut short"),
        ("0e010601", "not an initiate service"),
        ("01" + "00" * 13, "version 0"),
        ("01000000065f1f0500007e1f04b0", "no conformance block"),
        ("01000000065e1f0400007e1f04b0", "no conformance block"),
        ("010100000000065f1f0400007e1f04b0", "dedicated key of 0 bytes"),
        ("01020000065f1f0400007e1f04b0", "presence flag"),
        ("01000200065f1f0400007e1f04b0", "presence flag"),
        ("01000002065f1f0400007e1f04b0", "presence flag"),
    ],
)
def test_wrong_initiate_services_are_refused(data, said):
    with pytest.raises(ValueError, match=said):
        acse.decode_initiate(bytes.fromhex(data))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: acse.encode(Association(256, b"")), "context 256"),
        (lambda: acse.encode(Association(1, b"", 256)), "mechanism 256"),
        (lambda: acse.encode(Association(1, b"", result=128)), "result 128"),
        (lambda: acse.encode(Association(1, b"", result=1, diagnostic=128)), "diagnostic 128"),
        (lambda: acse.encode_release(Release(reason=256)), "reason 256"),
        (lambda: acse.encode_initiate(Initiate(Conformance.GET, 65_536)), "max_pdu_bytes 65536"),
        (lambda: acse.encode_initiate(Initiate(Conformance.GET, 1, quality=128)), "quality"),
        (lambda: acse.encode_initiate(Initiate(Conformance.GET, 1, response=True, name=65_536)), "VAA name"),
        (lambda: acse.encode_initiate(Initiate(Conformance.GET, 1, True, b"key")), "dedicated key"),
        (
            lambda: acse.encode_initiate(Initiate(Conformance.GET, 1, response=True, response_allowed=False)),
            "response-allowed",
        ),
    ],
)
def test_fields_that_do_not_fit_are_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()
