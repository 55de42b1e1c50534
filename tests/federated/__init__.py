"""Tests of cities that federate: servers of our own on the loopback, each with its own database."""
