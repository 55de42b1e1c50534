"""Maintenance of catalogues, areas, dumps and expired data, and the check of readiness."""
