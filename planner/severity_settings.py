"""What the case file says about severities side by side."""

from __future__ import annotations

from dataclasses import dataclass

from ..channels.parameters import parameter


@dataclass(frozen=True)
class SeveritySettings:
    """Which severities are set side by side; a section of the case file.

    Raises ValueError where a severity stands twice or none is named.
    """

    compare: bool = parameter(
        False,
        "-",
        "technologies on power lines are computed in each of these severities too",
        "choice of amiplan: it costs names x replications more solutions of the network",
    )
    names: tuple[str, ...] = parameter(
        ("quiet", "typical", "harsh"), "-", "rows of the severities to set side by side", "choice of amiplan"
    )
    replications: int = parameter(
        4,
        "1",
        "draws of each severity, the first of the study's own",
        "choice of amiplan: enough to see an area change, not for a tender",
        confidence="C",
        minimum=1,
    )

    def __post_init__(self) -> None:
        if not self.names or len(set(self.names)) < len(self.names):
            raise ValueError(f"names = {list(self.names)}: name at least one severity, each once")
