"""Thresholds of the power line waveforms, computed for this project by another program."""

# packet error ratio 10 % and 1 % at the reference length, dB: another program, soft Viterbi, ideal interleaving
THRESHOLDS_DB = {
    "g3:FCH": (-3.6, -2.8),
    "g3:S-ROBO": (-3.3, -2.9),
    "g3:ROBO": (-2.0, -1.6),
    "g3:DBPSK": (2.0, 2.3),
    "g3:DQPSK": (5.0, 5.3),
    "g3:D8PSK": (8.3, 8.8),
    "g3:C-ROBO": (-7.0, -6.4),
    "g3:BPSK": (-1.0, -0.7),
    "g3:QPSK": (2.0, 2.3),
    "g3:8PSK": (5.2, 5.8),
    "prime:R-DBPSK": (-1.5, -1.0),
    "prime:R-DQPSK": (0.8, 1.5),
    "prime:DBPSK_CC": (2.6, 3.25),
    "prime:DQPSK_CC": (5.7, 6.5),
    "prime:D8PSK_CC": (9.3, 10.3),
    "prime:DBPSK": (9.0, 10.2),
    "prime:DQPSK": (13.6, 14.7),
    "prime:D8PSK": (19.1, 20.5),
}
