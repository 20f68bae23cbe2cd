"""SNR to packet error ratio, one waveform family a file."""
