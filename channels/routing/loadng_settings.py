"""Numbers of LOADng in one G3-PLC network; both tiers and the technology read them here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .link_cost import CostWeights, relay_cost
from .loadng_messages import MAX_NIBBLE


@dataclass(frozen=True)
class LoadngSettings:
    """Numbers of LOADng in one network; meaning, source and confidence with the technology's parameters.

    net_traversal_s : how long a search waits for its reply;  rrep_wait_s : how long a destination waits for better ways
    rreq_retries : further requests of one search;  rreq_wait_s : pause before a failed search may begin again
    rreq_guided : bool, a first request goes along routes that relays have to its destination instead of flooding
    table_size, table_weight : entries of a routing table, and Krt, which counts its fill against a link
    rreq_delay_*_s, rreq_jitter_*_lqi : delay of a relayed request at and below the low, at and above the high LQI
    """

    max_hops: int = 8
    net_traversal_s: float = 20.0
    rrep_wait_s: float = 4.0
    rreq_retries: int = 0
    rreq_wait_s: float = 30.0
    rreq_guided: bool = False
    route_ttl_s: float = 180 * 60.0
    blacklist_ttl_s: float = 10 * 60.0
    table_size: int = 500
    table_weight: float = 0.0
    rreq_delay_low_lqi_s: float = 1.5
    rreq_delay_high_lqi_s: float = 0.1
    rreq_jitter_low_lqi: float = 52.0
    rreq_jitter_high_lqi: float = 100.0

    def __post_init__(self) -> None:
        """Refuse what no network can run with. Raises ValueError naming the setting and the fix."""
        if not 1 <= self.max_hops <= MAX_NIBBLE:
            raise ValueError(f"max_hops {self.max_hops} must be 1 to {MAX_NIBBLE}, the field has four bits")
        if self.rrep_wait_s >= self.net_traversal_s:
            raise ValueError(
                f"rrep_wait_s {self.rrep_wait_s} leaves no time within net_traversal_s {self.net_traversal_s}; "
                "lower the first or raise the second"
            )
        if self.rreq_jitter_low_lqi >= self.rreq_jitter_high_lqi:
            raise ValueError(
                f"rreq_jitter_low_lqi {self.rreq_jitter_low_lqi} must be below rreq_jitter_high_lqi "
                f"{self.rreq_jitter_high_lqi}; lower the first"
            )

    @cached_property
    def relay_delay_s(self) -> list[float]:
        """Longest delay of a relayed request by LQI 0 to 255 [s]."""
        lqi = [self.rreq_jitter_low_lqi, self.rreq_jitter_high_lqi]
        delay = np.interp(np.arange(256), lqi, [self.rreq_delay_low_lqi_s, self.rreq_delay_high_lqi_s])
        return [float(one) for one in delay]

    @cached_property
    def relay_costs(self) -> list[int]:
        """What a node adds to the cost of a link by the number of routes that it holds, 0 to its table's size."""
        weights = CostWeights(routes=self.table_weight)
        return [int(one) for one in relay_cost(np.arange(self.table_size + 1), self.table_size, weights)]
