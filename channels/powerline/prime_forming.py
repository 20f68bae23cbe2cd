"""How patiently a PRIME network forms: timers with their units, sources and confidence."""

from __future__ import annotations

from dataclasses import dataclass, fields

from ..mac.prime.forming import Forming
from ..parameters import parameter
from .network_parameters import NetworkParameters


@dataclass(frozen=True)
class PrimeForming(NetworkParameters):
    """Parameters that count where a network forms or heals; the standard leaves most of them to the maker."""

    boot_spread_s: float = parameter(
        10.0,
        "s",
        "modems that get power at the same time boot within this time of each other",
        "a choice: the start-up of a meter",
        confidence="C",
        minimum=0,
        maximum=600,
    )
    request_spread_s: float = parameter(
        2.0,
        "s",
        "time over which nodes that heard the same beacon or the same request spread what they ask",
        "a choice: a few MAC frames, lest all speak at once",
        confidence="C",
        minimum=0,
        maximum=60,
    )
    slowest_request_s: float = parameter(
        240.0,
        "s",
        "1.3.6: a node without a switch asks half as often with each request in vain, down to one in this time",
        "a choice; the standard sets the most requests in a period only, and 1.4 one in 32 s at least",
        confidence="C",
        minimum=5,
        maximum=3600,
    )
    refusal_rest_s: float = parameter(
        60.0,
        "s",
        "first rest of a node towards a switch over which it failed to register, doubled up to six times",
        "a choice",
        confidence="C",
        minimum=1,
        maximum=3600,
    )
    offer_rest_s: float = parameter(
        300.0,
        "s",
        "first rest of a terminal that offered itself as a switch for a node, doubled up to five times",
        "a choice",
        confidence="C",
        minimum=1,
        maximum=3600,
    )
    promotion_rest_s: float = parameter(
        30.0,
        "s",
        "time that the base node gives a node to register over the terminal it promoted, before it promotes the next "
        "that offered itself; where all were tried in vain it doubles up to eight times",
        "a choice: some tens of MAC frames, in which the new switch sends a beacon and the node registers",
        confidence="C",
        minimum=1,
        maximum=3600,
    )
    promotion_wait_s: float = parameter(
        3.0,
        "s",
        "time over which the base node collects offers before it promotes the best",
        "a choice: longer than offers spread",
        confidence="C",
        minimum=0,
        maximum=60,
    )
    demote_after_s: float = parameter(
        300.0,
        "s",
        "a switch on which no node has hung for so long is demoted",
        "a choice",
        confidence="C",
        minimum=1,
        maximum=1e5,
    )
    hop_wait_s: float = parameter(
        1.0,
        "s",
        "1.4: wait of a hop for the answer to a keep-alive, behind one MAC frame",
        "a choice",
        confidence="C",
        minimum=0,
        maximum=60,
    )
    missed_beacons: int = parameter(
        5,
        "1",
        "beacons of its switch that a node misses in a row before it takes it for gone",
        "ITU-T G.9904",
        confidence="B",
        minimum=1,
        maximum=100,
    )

    @property
    def forming(self) -> Forming:
        """The same as the network's own settings."""
        return Forming(**{item.name: getattr(self, item.name) for item in fields(Forming)})
