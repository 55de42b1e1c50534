"""All calls to other servers: GeoReport, back offices, webhooks, mail, text messages, sign-in and photos.

The bridge for MQTT is here too. This package knows neither Flask nor the database.
"""
