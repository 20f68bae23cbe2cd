"""What all networks on low-voltage cables have alike: where they stand, what moves them, how they are looked at."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from ..draws import Draws
from ..paths import CablePaths
from ..phy.plc_adaptation import Adaptation
from ..scenario import Scenario
from ..technology import Influence, Medium, Siting
from .line_parameters import LineParameters
from .views import FeederView, LinkNumbers, feeder_view, link_numbers


class OnCables(LineParameters):
    """A network of meters behind transformers, each polled by the node at its own; technologies inherit it."""

    media: ClassVar[tuple[Medium, ...]] = (Medium.POWERLINE,)
    siting: ClassVar[Siting] = Siting.TRANSFORMER
    influences: ClassVar[tuple[Influence, ...]] = (
        Influence.DISTANCE,
        Influence.CABLE,
        Influence.LOAD_IMPEDANCE,
        Influence.NOISE,
        Influence.TX_POWER,
        Influence.DENSITY,
        Influence.TRAFFIC,
    )

    @property
    def exchange_policy(self) -> str:
        """The node at the transformer asks."""
        return "pull"

    @property
    @abstractmethod
    def own_adaptation(self) -> Adaptation:
        """Modes of the network's own frames, as the choice of a mode needs them."""

    def feeder_view(self, paths: CablePaths, scenario: Scenario, draws: Draws, site: int) -> FeederView:
        """One area as its concentrator sees it and is seen, carrier by carrier; see `powerline.views.feeder_view`."""
        return feeder_view(paths, self, self.own_adaptation, scenario, draws, site)

    def link_numbers(self, paths: CablePaths, scenario: Scenario, draws: Draws, link: int) -> LinkNumbers:
        """Every number of the link in one row of the paths; see `powerline.views.link_numbers`."""
        return link_numbers(paths, self, self.own_adaptation, scenario, draws, link)
