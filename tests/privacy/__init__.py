"""Tests that send personal data by every way into the server (a *door*), and read everything that goes out."""
