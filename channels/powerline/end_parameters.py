"""Both ends of every power line: modems and transformers, each number with unit, source and confidence."""

from __future__ import annotations

from dataclasses import dataclass

from ..parameters import parameter


@dataclass(frozen=True)
class EndParameters:
    """Parameters of modems, transformers and what comes through them; a power line technology inherits them."""

    tx_level_dbuv: float = parameter(
        120.0,
        "dBuV",
        "source voltage of the transmitter, all carriers, rms",
        "EN 50065-1: 134 dBuV peak less a crest of 4",
        confidence="B",
        minimum=60,
        maximum=140,
    )
    source_ohm: float = parameter(
        0.5,
        "ohm",
        "output impedance of the transmitter's amplifier; with the coupler 0.5 to 2 ohm",
        "0.5 to 2 ohm in all, the split a choice",
        confidence="C",
        minimum=0.01,
        maximum=50,
    )
    coupler_ohm: float = parameter(
        0.5,
        "ohm",
        "coupler between the amplifier and each phase",
        "0.5 to 2 ohm with the amplifier, the split a choice",
        confidence="C",
        minimum=0.01,
        maximum=50,
    )
    receive_ohm: float = parameter(
        100.0,
        "ohm",
        "impedance of an idle modem in the band, each phase it couples to",
        "above 100 ohm",
        confidence="C",
        minimum=10,
        maximum=1e5,
    )
    current_limit_a: float = parameter(
        0.45,
        "A",
        "largest rms current of the line driver, all carriers and phases",
        "TI AFE031: 1.5 A peak over a crest of 3 to 4",
        confidence="B",
        minimum=0.01,
        maximum=20,
    )
    receiver_floor_dbuv: float = parameter(
        26.0, "dBuV", "receiver's own noise over the band", "TI AFE031 data sheet: 20 uV rms", minimum=-40, maximum=100
    )
    short_circuit_ratio: float = parameter(
        0.04,
        "1",
        "short-circuit voltage of the transformers",
        "usual distribution transformers",
        confidence="B",
        minimum=0.005,
        maximum=0.2,
    )
    line_voltage_v: float = parameter(400.0, "V", "voltage between phases", "EN 50160", minimum=50, maximum=1000)
    transformer_quality: float = parameter(
        10.0,
        "1",
        "reactance over resistance of the transformer in the band",
        "a choice",
        confidence="C",
        minimum=0.5,
        maximum=1000,
    )
    transformer_capacitance_f: float = parameter(
        5e-9, "F", "stray capacitance of the transformer", "1 to 10 nF", confidence="B", minimum=0, maximum=1e-6
    )
    mv_neighbours: int = parameter(
        0,
        "1",
        "neighbouring transformers whose power line is heard through the medium voltage; 0 for none",
        "depends on the network; a choice",
        confidence="C",
        minimum=0,
        maximum=50,
    )
    mv_crosstalk_loss_db: float = parameter(
        60.0,
        "dB",
        "attenuation from a neighbour's source through both transformers and the medium voltage to the own bus",
        "20 to 60 dB a transformer, depending on frequency",
        confidence="C",
        minimum=0,
        maximum=200,
    )
    mv_activity: float = parameter(
        0.3,
        "1",
        "share of the time each neighbour transmits; counts as mean power",
        "polling fills a part of the day",
        confidence="C",
        minimum=0,
        maximum=1,
    )
    site_phases: int = parameter(
        3,
        "",
        "phases the concentrator couples to, 1 (drawn) or 3",
        "concentrators inject on one or three",
        confidence="C",
        minimum=1,
        maximum=3,
    )
    meter_coupler_phases: int = parameter(
        1,
        "",
        "phases the modem of a three-phase meter couples to, 1 (drawn) or 3",
        "most meters couple to one; some switch",
        confidence="C",
        minimum=1,
        maximum=3,
    )

    def _check_couplers(self) -> None:
        """Refuse couplers that do not exist; ValueError naming the key and the fix."""
        for name in ("site_phases", "meter_coupler_phases"):
            if getattr(self, name) not in (1, 3):
                raise ValueError(f"{name} = {getattr(self, name)} does not exist; write 1 or 3")
