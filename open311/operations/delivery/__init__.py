"""Deliveries of requests to back offices.

`planning` makes the deliveries that a change needs. `sending` sends them.
"""
