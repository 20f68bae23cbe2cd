"""Decides: links, siting, simulation, KPIs and cost."""
