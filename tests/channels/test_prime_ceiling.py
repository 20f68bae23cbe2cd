"""Others on the line of PRIME where impulses, and not the level, decide what is lost: the same in both tiers."""

from dataclasses import replace

import numpy as np
import pytest
import simpy
from amiplan.channels.draws import Draws
from amiplan.channels.mac.prime.hops import hop_loss, hops_of, own_spare_db
from amiplan.channels.mac.prime.line import PrimeLine
from amiplan.channels.technology import UP
from g3_cells import fewest_hops
from prime_packet import prime_links, settings

SIZE, MARGIN_DB, CEILING_DB = 100, 20.0, 4.0


def both_tiers(drop_db, mode, told_over_robust_db, ceiling_db=CEILING_DB):
    """Loss of one frame from a meter to its base node with 20 dB of margin, by tier, where others take ``drop_db``."""
    mac = settings("1.4")
    paths, quality = prime_links(1, {(0, 1): (MARGIN_DB, MARGIN_DB)}, mac, mode=mode)
    told = quality.snr_up_db - max(MARGIN_DB - ceiling_db, 0.0) + told_over_robust_db
    quality = replace(quality, useful_margin_db=np.full(1, ceiling_db), snr_up_db=told, snr_down_db=told)
    hops = hops_of(mac, fewest_hops(paths, quality), paths, quality, np.zeros(2, bool))
    fast = hop_loss(mac, hops.weaker(np.array([[drop_db]])), UP, SIZE)[0, 0]
    line = PrimeLine(simpy.Environment(), paths, quality, 0, Draws(1), mac, None)
    row = [one.name for one in mac.table].index(mode)
    head, body = line._loss(0, 1, row, mac.data_frame, SIZE, 10 ** (drop_db / 10))
    return fast, 1 - (1 - head) * (1 - body)


@pytest.mark.parametrize("drop_db", [0.0, 3.0, 9.0, 12.0, 16.0, 19.0])
@pytest.mark.parametrize(("mode", "over_db"), [("DBPSK_CC", 0.0), ("DQPSK_CC", 6.0), ("D8PSK_CC", 12.0)])
def test_both_tiers_lose_alike_beside_others(drop_db, mode, over_db):
    fast, packet = both_tiers(drop_db, mode, over_db)
    assert fast == pytest.approx(packet, abs=1e-9)


def test_what_the_level_has_to_spare_is_lost_first():
    """Up to the spare nothing changes; beyond it each decibel counts, for a mode with a high ceiling sooner."""
    robust = [both_tiers(drop_db, "DBPSK_CC", 0.0)[0] for drop_db in (0.0, 15.0, 25.0)]
    assert robust[0] == robust[1] < robust[2]
    fast = [both_tiers(drop_db, "D8PSK_CC", 12.0)[0] for drop_db in (0.0, 3.9, 15.0)]
    assert fast[0] == fast[1] < fast[2]
    assert fast[2] > 0.99


def test_without_impulses_every_decibel_counts():
    assert both_tiers(1.0, "D8PSK_CC", -6.0, np.inf)[0] > both_tiers(0.0, "D8PSK_CC", -6.0, np.inf)[0]


def test_a_mode_has_no_more_to_spare_than_the_level():
    spare = own_spare_db(np.array([2.0, 4.0, 30.0, -np.inf]), np.full(4, 4.0), np.full(4, 16.0))
    assert spare.tolist() == [16.0, 16.0, 0.0, 0.0]


def test_better_switches_are_told_apart_above_the_ceiling():
    mac = settings("1.4")
    paths, quality = prime_links(2, {(0, 2): (20.0, 20.0), (1, 0): (25.0, 25.0)}, mac)
    quality = replace(quality, useful_margin_db=np.full(2, CEILING_DB))
    line = PrimeLine(simpy.Environment(), paths, quality, 0, Draws(1), mac, None)
    assert line.quality_db(1, 0) == pytest.approx(line.quality_db(0, 2) + 5.0)
