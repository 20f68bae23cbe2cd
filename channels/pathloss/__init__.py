"""Path loss, one source document a file: plain functions from arrays to positive dB."""
