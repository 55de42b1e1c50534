"""What keeps a server in order: catalogues, areas, dumps, cleaning up, readiness."""
