"""Inquiry v1 of Open311: services, facilities, FAQs, 311 Today, and our calendar of collections (rules Y)."""
