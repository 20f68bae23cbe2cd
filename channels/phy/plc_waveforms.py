"""Every waveform of the narrow-band power line families: modulation, code, repetition and interleaving as data.

One row is what a modem sends on its carriers; bands, tone maps and frames stand with the families (`g3_ofdm`,
`prime_ofdm`), error ratios with `plc_curves`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Waveform:
    """One modulation with its coding.

    name : ``family:mode``, such as ``g3:ROBO``
    bits : per carrier and symbol
    detection : ``time`` (differential to the symbol before), ``frequency`` (to the carrier below) or ``coherent``
    repetition : copies of every coded bit
    coded : rate 1/2 convolutional code, K = 7, (171, 133) octal, 6 zero tail bits
    parity_bytes : Reed-Solomon parity over GF(256); 0 for none
    interleaving : ``frame`` (all symbols), ``symbol`` (one), ``four_symbols`` or ``none``
    reference_bytes : PSDU for which the published thresholds and the stored curves hold
    """

    name: str
    bits: int
    detection: str
    repetition: int
    coded: bool
    parity_bytes: int
    interleaving: str
    reference_bytes: int

    @property
    def mode(self) -> str:
        """The name without its family."""
        return self.name.partition(":")[2]


# ITU-T G.9903 (codes, repetition, Reed-Solomon parity) and ITU-T G.9904 with PRIME 1.4 (modes, interleaving within one
# symbol, four symbols in the robust modes). Headers: 39 bits (G3 CENELEC), 72 bits (G3 FCC and ARIB), as whole bytes.
WAVEFORMS: dict[str, Waveform] = {
    one.name: one
    for one in (
        #         name           bits detection   rep  coded par interleaving  bytes
        Waveform("g3:FCH",        1, "time",       6, True,   0, "frame",          5),
        Waveform("g3:FCH-72",     1, "time",       6, True,   0, "frame",          9),
        Waveform("g3:S-ROBO",     1, "time",       6, True,   8, "frame",         60),
        Waveform("g3:ROBO",       1, "time",       4, True,   8, "frame",        133),
        Waveform("g3:DBPSK",      1, "time",       1, True,  16, "frame",        235),
        Waveform("g3:DQPSK",      2, "time",       1, True,  16, "frame",        235),
        Waveform("g3:D8PSK",      3, "time",       1, True,  16, "frame",        199),
        Waveform("g3:C-ROBO",     1, "coherent",   4, True,   8, "frame",        133),
        Waveform("g3:BPSK",       1, "coherent",   1, True,  16, "frame",        235),
        Waveform("g3:QPSK",       2, "coherent",   1, True,  16, "frame",        235),
        Waveform("g3:8PSK",       3, "coherent",   1, True,  16, "frame",        199),
        Waveform("g3:16QAM",      4, "coherent",   1, True,  16, "frame",        199),
        Waveform("prime:HEADER",  1, "frequency",  1, True,   0, "symbol",        10),
        Waveform("prime:R-HEADER",1, "frequency",  4, True,   0, "four_symbols",  10),
        Waveform("prime:R-DBPSK", 1, "frequency",  4, True,   0, "four_symbols", 100),
        Waveform("prime:R-DQPSK", 2, "frequency",  4, True,   0, "four_symbols", 100),
        Waveform("prime:DBPSK_CC",1, "frequency",  1, True,   0, "symbol",       100),
        Waveform("prime:DQPSK_CC",2, "frequency",  1, True,   0, "symbol",       100),
        Waveform("prime:D8PSK_CC",3, "frequency",  1, True,   0, "symbol",       100),
        Waveform("prime:DBPSK",   1, "frequency",  1, False,  0, "none",         100),
        Waveform("prime:DQPSK",   2, "frequency",  1, False,  0, "none",         100),
        Waveform("prime:D8PSK",   3, "frequency",  1, False,  0, "none",         100),
    )
}  # fmt: skip
