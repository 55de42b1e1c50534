"""Tests of the server for chatbots: a scripted client talks to it, and it talks to a real server over HTTP."""
