"""How patiently a PRIME network forms: timers that the standard leaves to the maker of a modem."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Forming:
    """Timers of one network; all but ``missed_beacons`` are choices (confidence C).

    boot_spread_s : modems that get power at the same time boot within this time of each other
    request_spread_s : a node that hears a beacon asks to register after up to this time, and so does a terminal that
        offers itself, lest all speak at once
    slowest_request_s : a node of 1.3.6 without a switch asks half as often with each request in vain, down to one in
        this time; version 1.4 wants one in 32 s at least
    refusal_rest_s, offer_rest_s, promotion_rest_s : first rest of a node towards a switch over which registration
        failed, of a terminal that offered itself for a node, of the base node that promoted somebody for a node
    promotion_wait_s : the base node collects offers so long before it accepts the best
    demote_after_s : a switch on which no node has hung for so long is demoted
    hop_wait_s : a hop waits one MAC frame and this for the answer to a keep-alive
    missed_beacons : in a row, after which a node takes its switch for gone
    """

    boot_spread_s: float
    request_spread_s: float
    slowest_request_s: float
    refusal_rest_s: float
    offer_rest_s: float
    promotion_rest_s: float
    promotion_wait_s: float
    demote_after_s: float
    hop_wait_s: float
    missed_beacons: int
