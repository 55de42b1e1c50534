"""Maintenance: catalogues, areas, dumps, expired data, readiness."""
