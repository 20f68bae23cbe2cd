"""The MAC, mesh and joining of G3-PLC: closed forms for the fast tier, modems for the packet tier."""
