"""Speaks GeoReport with other servers. It knows HTTP, but neither Flask nor the database."""
