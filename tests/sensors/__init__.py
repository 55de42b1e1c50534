"""Tests of things that report by themselves."""
