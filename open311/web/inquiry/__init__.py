"""Inquiry v1: services, facilities, FAQs, 311 Today, and our calendar of days (spec/extensions.md, Y1 to Y14)."""
