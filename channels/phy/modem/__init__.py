"""The project's own Monte-Carlo modem for the power line waveforms: what the stored curves are made with.

Codes, mappings and noise are arrays in, arrays out; `link` joins them to frames, `curves` writes `phy/plc_curves.csv`
and `phy/plc_scales.csv`. Synchronisation and channel estimation are perfect: implementation loss is the caller's.
"""
