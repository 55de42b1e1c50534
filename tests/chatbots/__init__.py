"""Tests of the server for chatbots: a scripted client calls it, and it calls a real server of a city over HTTP."""
