"""Requests that were made elsewhere, taken in from files."""
