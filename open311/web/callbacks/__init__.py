"""Signed calls: updates of back offices, and answers to text messages."""
