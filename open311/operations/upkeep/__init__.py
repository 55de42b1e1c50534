"""Maintenance of catalogues, areas, publications, dumps and expired data; counts of calls; readiness."""
