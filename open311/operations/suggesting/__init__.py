"""Suggestions of services for what a citizen writes, counts of the choices, and trained models."""
