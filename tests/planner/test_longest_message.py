"""Settings that leave no room for the longest message of a case are refused when they are read, in one line."""

from contextlib import nullcontext

import pytest
from amiplan.channels.technologies.g3_plc import G3Plc
from amiplan.channels.technologies.lorawan import Lorawan
from amiplan.channels.technologies.prime import Prime
from amiplan.meters.settings import ServiceSettings
from amiplan.planner.exchanges import check_messages
from amiplan.planner.service import ServiceLevel
from amiplan.studies.case import case_from
from amiplan.studies.settings import UserError

PROFILE = ServiceLevel(services=("profile",))


def test_segments_too_small_for_a_profile_name_the_smallest_that_fit():
    for sar_bytes in (0, 32, 255):
        check_messages([Lorawan(), G3Plc(), Prime(sar_bytes=sar_bytes)], PROFILE, ServiceSettings())
    with pytest.raises(ValueError, match=r"^prime: sar_bytes = 16 leaves 1008 B.*1035 B; write 32 or more$"):
        check_messages([Prime(sar_bytes=16)], PROFILE, ServiceSettings())
    check_messages([Prime(sar_bytes=16)], ServiceLevel(services=("register",)), ServiceSettings())
    check_messages([Prime(sar_bytes=16)], PROFILE, ServiceSettings(max_pdu_bytes=512))


def test_where_no_segment_is_large_enough_the_message_has_to_shrink():
    small = Prime(sar_bytes=16)
    with pytest.raises(ValueError, match="write 48 or more"):
        small.check_messages(3000)
    with pytest.raises(ValueError, match=r"lower max_pdu_bytes of .session. below 16065"):
        small.check_messages(20_000)


@pytest.mark.parametrize("sar_bytes", [16, 32, 255])
@pytest.mark.parametrize("step", [0, 1])
def test_what_passes_can_be_cut_and_one_byte_more_cannot(sar_bytes, step):
    tech = Prime(sar_bytes=sar_bytes)
    longest = 63 * tech.mac.segment_payload_bytes - 3 + step
    for deed in (lambda: tech.check_messages(longest), lambda: tech.n_frames(0, longest)):
        with pytest.raises(ValueError, match="sar_bytes") if step else nullcontext():
            deed()


def test_a_case_with_such_segments_is_refused_with_its_path(tmp_path):
    table = {"area": {}, "technologies": {"prime": {"sar_bytes": 16}}}
    with pytest.raises(UserError, match=r"case.toml \[technologies\] prime: sar_bytes = 16") as refused:
        case_from(table, tmp_path / "case.toml", "")
    assert "\n" not in str(refused.value)
    table["technologies"]["prime"]["sar_bytes"] = 64
    case_from(table, tmp_path / "case.toml", "")
