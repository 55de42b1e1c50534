"""Deliveries of requests to back offices.

`planning` makes the deliveries that a change needs. `sending` sends them. `pulling` and `receiving` get the updates
of back offices, and `applying` applies them.
"""
