"""Observations that things send, in the form of OGC SensorThings 1.1 (spec/sensors.md)."""
