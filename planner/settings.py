"""Everything the planner can be told, in one place."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..channels.cable import Cable
from ..channels.scenario import Scenario
from ..meters.services import ServiceSettings
from .backhaul import Backhaul
from .cost import Economics
from .fault_settings import FaultSettings
from .positions import PositionMix
from .remedies import RemedySettings
from .service import ServiceLevel
from .severity_settings import SeveritySettings
from .simulate import SimulationSettings
from .siting import SitingSettings


@dataclass(frozen=True)
class PlannerSettings:
    """The settings of one study, one section of the case file each; and the user's own cable types, resolved."""

    service: ServiceLevel = field(default_factory=ServiceLevel)
    session: ServiceSettings = field(default_factory=ServiceSettings)
    positions: PositionMix = field(default_factory=PositionMix)
    scenario: Scenario = field(default_factory=Scenario)
    siting: SitingSettings = field(default_factory=SitingSettings)
    backhaul: Backhaul = field(default_factory=Backhaul)
    simulation: SimulationSettings = field(default_factory=SimulationSettings)
    severities: SeveritySettings = field(default_factory=SeveritySettings)
    faults: FaultSettings = field(default_factory=FaultSettings)
    remedies: RemedySettings = field(default_factory=RemedySettings)
    economics: Economics = field(default_factory=Economics)
    cables: tuple[Cable, ...] = ()
