"""Suggestions of services for what a citizen writes, and what becomes of them."""
