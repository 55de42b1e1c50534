"""Washington DC: the District's 86 services and the agencies behind them."""

from open311.plugins import declared

jurisdiction = declared.load(__package__)
