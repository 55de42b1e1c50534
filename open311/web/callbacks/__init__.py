"""Calls with which back offices send updates."""
