"""Tells: case files, runs, reports, maps and the command line."""
