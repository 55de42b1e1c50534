"""Federation of a city with its neighbours, other cities with GeoReport servers.

`looking` inspects a server, `neighbours` adds and removes neighbours, `joining` makes them back ends of the city,
and `pulling` shows their public requests here.
"""
