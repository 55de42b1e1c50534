"""Notices of cities: staff write them, and everybody reads them for a time."""
