"""Configuration of G3-PLC above the MAC: link cost, routes, joining; each number with unit, source and confidence."""

from __future__ import annotations

from dataclasses import dataclass

from ..mac.g3.join import JoinSettings
from ..parameters import parameter
from ..routing.link_cost import CostWeights
from ..routing.loadng_settings import LoadngSettings
from ..routing.route_upkeep import Upkeep
from .g3_profiles import AS_PROFILE, PROFILE_NUMBERS, PROFILES, in_force
from .network_parameters import NetworkParameters

LEFT_OPEN = f"{AS_PROFILE} for what the profile says"
LEFT_TO_PROFILE = float(AS_PROFILE)


@dataclass(frozen=True)
class G3NetworkParameters(NetworkParameters):
    """Parameters of routing and joining; what both standards share stands in `NetworkParameters`."""

    profile: str = parameter(
        "g9903",
        "",
        f"published set of network constants: {' or '.join(PROFILES)}",
        "ITU-T G.9903 defaults, and a vendor's set for metering",
    )
    max_hops: int = parameter(
        AS_PROFILE, "1", f"longest route (adpMaxHops); {LEFT_OPEN}", "ITU-T G.9903", minimum=AS_PROFILE, maximum=14
    )
    cost_robust: float = parameter(
        LEFT_TO_PROFILE, "1", f"link cost weight Kr of the robust mode; {LEFT_OPEN}", "ITU-T G.9903 annex B",
        minimum=AS_PROFILE, maximum=255,
    )  # fmt: skip
    cost_modulation: float = parameter(
        LEFT_TO_PROFILE, "1", f"link cost weight Km of the modulation; {LEFT_OPEN}", "ITU-T G.9903 annex B",
        minimum=AS_PROFILE, maximum=255,
    )  # fmt: skip
    cost_tones: float = parameter(
        LEFT_TO_PROFILE, "1", f"link cost weight Kc of tones left out; {LEFT_OPEN}", "ITU-T G.9903 annex B",
        minimum=AS_PROFILE, maximum=255,
    )  # fmt: skip
    cost_quality: float = parameter(
        LEFT_TO_PROFILE, "1", f"link cost weight Kq of the LQI; {LEFT_OPEN}", "ITU-T G.9903 annex B",
        minimum=AS_PROFILE, maximum=255,
    )  # fmt: skip
    cost_hop: int = parameter(
        AS_PROFILE, "1", f"link cost Kh of a hop; {LEFT_OPEN}", "ITU-T G.9903 annex B", minimum=AS_PROFILE, maximum=255
    )
    cost_routes: float = parameter(
        LEFT_TO_PROFILE, "1", f"link cost weight Krt of the routes a relay holds; {LEFT_OPEN}", "ITU-T G.9903 annex B",
        minimum=AS_PROFILE, maximum=255,
    )  # fmt: skip
    add_reverse_cost: int = parameter(
        0,
        "1",
        "what the unknown way back is taken to be dearer (adpAddRevLinkCost); counts while routes are searched",
        "ITU-T G.9903; default uncertain",
        confidence="C",
        minimum=0,
        maximum=255,
    )
    lqi_low: float = parameter(
        LEFT_TO_PROFILE, "1", f"LQI up to which Kq counts fully; {LEFT_OPEN}", "ITU-T G.9903 (adpLowLQIValue)",
        minimum=AS_PROFILE, maximum=254,
    )  # fmt: skip
    lqi_high: float = parameter(
        LEFT_TO_PROFILE, "1", f"LQI from which Kq counts nothing; {LEFT_OPEN}", "ITU-T G.9903 (adpHighLQIValue)",
        minimum=AS_PROFILE, maximum=255,
    )  # fmt: skip
    weak_lqi: float = parameter(
        LEFT_TO_PROFILE, "1", f"links below this LQI are weak and come last; {LEFT_OPEN}", "ITU-T G.9903",
        minimum=AS_PROFILE, maximum=255,
    )  # fmt: skip
    routing_table_size: int = parameter(
        500, "1", "routing table entries, for Krt", "a vendor's demonstration", minimum=1, maximum=65535
    )
    route_repair: bool = parameter(
        True,
        "",
        "from one part of the day to the next only routes that failed are looked for anew; false looks for all",
        "ITU-T G.9903 LOADng is reactive; how often routes are found anew is a choice",
        confidence="C",
    )
    route_hysteresis: float = parameter(
        10.0,
        "1",
        "points of cost by which a standing route may be dearer than the cheapest before it ends; see route_repair",
        "a choice",
        confidence="C",
        minimum=0,
        maximum=65535,
    )
    route_ttl_min: float = parameter(
        180.0,
        "min",
        "routes that were not used for so long are found anew (adpRoutingTableEntryTTL)",
        "a vendor's demonstration coordinator 180; conformance 5; default of the standard perhaps 60",
        minimum=0.1,
        maximum=1e5,
    )
    idle_before_min: float = parameter(
        60.0,
        "min",
        "time since the concentrator last used its routes and tone maps when the window opens",
        "a choice",
        confidence="C",
        minimum=0,
        maximum=1e5,
    )
    blacklist_ttl_min: float = parameter(
        10.0,
        "min",
        "how long a neighbour that did not answer is left out (adpBlacklistTableEntryTTL)",
        "2 in conformance",
        confidence="C",
        minimum=0.1,
        maximum=1e4,
    )
    net_traversal_s: float = parameter(
        LEFT_TO_PROFILE, "s", f"how long a search waits for its reply (adpNetTraversalTime); {LEFT_OPEN}",
        "ITU-T G.9903", minimum=AS_PROFILE, maximum=3600,
    )  # fmt: skip
    rrep_wait_s: float = parameter(
        LEFT_TO_PROFILE, "s", f"how long a destination collects better ways (adpRREPWait); {LEFT_OPEN}", "ITU-T G.9903",
        minimum=AS_PROFILE, maximum=3600,
    )  # fmt: skip
    rreq_retries: int = parameter(
        0, "1", "further requests of one search (adpRREQRetries)", "ITU-T G.9903", confidence="C", minimum=0, maximum=20
    )
    rreq_wait_s: float = parameter(
        30.0, "s", "pause before a failed search begins again (adpRREQWait)", "ITU-T G.9903", confidence="C",
        minimum=0, maximum=3600,
    )  # fmt: skip
    rreq_guided: bool = parameter(
        False,
        "",
        "relays that have a route to the destination send a request along it alone (adpUnicastRREQGenEnable); "
        "false: every request floods the whole network. Saves control frames of a day, but after the cold start of a "
        "large feeder requests storm",
        "ITU-T G.9903; default and what a relay does then uncertain",
        confidence="C",
    )
    rreq_delay_low_lqi_s: float = parameter(
        1.5, "s", "longest delay of a request relayed over a poor link (adpDelayLowLQI)",
        "vendors' conformance settings", minimum=0, maximum=60,
    )  # fmt: skip
    rreq_delay_high_lqi_s: float = parameter(
        0.1, "s", "the same over a good link (adpDelayHighLQI)", "vendors' conformance settings", minimum=0, maximum=60
    )
    rreq_jitter_low_lqi: float = parameter(
        52.0, "1", "LQI up to which a link is poor for it", "ITU-T G.9903 (adpRREQJitterLowLQI)", confidence="C",
        minimum=0, maximum=254,
    )  # fmt: skip
    rreq_jitter_high_lqi: float = parameter(
        100.0, "1", "LQI from which it is good", "ITU-T G.9903 (adpRREQJitterHighLQI)", confidence="C",
        minimum=1, maximum=255,
    )  # fmt: skip
    beacon_window_s: float = parameter(
        LEFT_TO_PROFILE, "s", f"within which neighbours answer a beacon request, and length of a scan; {LEFT_OPEN}",
        "ITU-T G.9903 (macBeaconRandomizationWindowLength)", minimum=AS_PROFILE, maximum=3600,
    )  # fmt: skip
    discovery_first_s: tuple[float, float] = parameter(
        (1.0, 5.0), "s", "window of the wait before the first scan; it doubles with every failure",
        "a vendor's demonstration; growth a choice", confidence="C",
    )  # fmt: skip
    discovery_last_s: tuple[float, float] = parameter(
        (20.0, 100.0), "s", "widest window of the wait before a scan", "a vendor's demonstration", confidence="C"
    )
    join_first_s: tuple[float, float] = parameter(
        (0.1, 2.5), "s", "window of the wait between scan and first request; it doubles with every failure",
        "a vendor's demonstration; growth a choice", confidence="C",
    )  # fmt: skip
    join_last_s: tuple[float, float] = parameter(
        (2.0, 10.0), "s", "widest window of the wait between scan and request", "a vendor's demonstration",
        confidence="C",
    )  # fmt: skip
    max_join_wait_s: float = parameter(
        LEFT_TO_PROFILE, "s", f"after which a device gives a request up (adpMaxJoinWaitTime); {LEFT_OPEN}",
        "ITU-T G.9903", minimum=AS_PROFILE, maximum=3600,
    )  # fmt: skip
    min_join_lqi: float = parameter(
        53.0, "1", "least LQI of the agent over which a device joins", "a vendor's demonstration",
        minimum=0, maximum=255,
    )  # fmt: skip
    join_lqi_step: float = parameter(
        4.0, "1", "by how much every failed scan lowers it", "a vendor's demonstration", minimum=0, maximum=255
    )

    join_slots: int = parameter(
        1, "1", "dialogues that the coordinator leads at once",
        "vendors keep a few; a choice: with more, those of deep trees outlast max_join_wait_s", confidence="C",
        minimum=1, maximum=100,
    )  # fmt: skip

    @property
    def in_force(self) -> dict[str, float]:
        """The numbers that count where the profile may decide. Raises ValueError for an unknown profile."""
        return in_force(self.profile, {name: getattr(self, name) for name in PROFILE_NUMBERS})

    def __post_init__(self) -> None:
        """Refuse what contradicts itself; ValueError naming the keys and the fix."""
        super().__post_init__()
        _ = self.weights, self.loadng, self.joining, self.upkeep

    @property
    def weights(self) -> CostWeights:
        """Weights of the link cost."""
        told = self.in_force
        return CostWeights(
            robust=told["cost_robust"],
            modulation=told["cost_modulation"],
            tones=told["cost_tones"],
            quality=told["cost_quality"],
            hop=told["cost_hop"],
            routes=told["cost_routes"],
            lqi_low=told["lqi_low"],
            lqi_high=told["lqi_high"],
            lqi_weak=told["weak_lqi"],
        )

    @property
    def upkeep(self) -> Upkeep:
        """How routes live on from one part of a day to the next."""
        return Upkeep(self.route_repair, self.route_hysteresis)

    @property
    def loadng(self) -> LoadngSettings:
        """Numbers of the search for routes."""
        told = self.in_force
        return LoadngSettings(
            max_hops=int(told["max_hops"]),
            net_traversal_s=told["net_traversal_s"],
            rrep_wait_s=told["rrep_wait_s"],
            rreq_retries=self.rreq_retries,
            rreq_wait_s=self.rreq_wait_s,
            rreq_guided=self.rreq_guided,
            route_ttl_s=60 * self.route_ttl_min,
            blacklist_ttl_s=60 * self.blacklist_ttl_min,
            table_size=self.routing_table_size,
            table_weight=told["cost_routes"],
            rreq_delay_low_lqi_s=self.rreq_delay_low_lqi_s,
            rreq_delay_high_lqi_s=self.rreq_delay_high_lqi_s,
            rreq_jitter_low_lqi=self.rreq_jitter_low_lqi,
            rreq_jitter_high_lqi=self.rreq_jitter_high_lqi,
        )

    @property
    def joining(self) -> JoinSettings:
        """Numbers of joining."""
        told = self.in_force
        return JoinSettings(
            beacon_window_s=told["beacon_window_s"],
            discovery_first_s=self.discovery_first_s,
            discovery_last_s=self.discovery_last_s,
            join_first_s=self.join_first_s,
            join_last_s=self.join_last_s,
            max_join_wait_s=told["max_join_wait_s"],
            min_join_lqi=self.min_join_lqi,
            join_lqi_step=self.join_lqi_step,
            join_slots=self.join_slots,
        )
