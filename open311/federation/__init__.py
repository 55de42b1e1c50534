"""Speaks GeoReport with other servers, and sends webhooks and mail. It knows neither Flask nor the database."""
