"""Tests of text messages, with a gateway that a test can break."""
