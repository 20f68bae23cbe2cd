"""amiplan: planning and simulation of smart-metering communications on your own map."""

__version__ = "0.1.0"
