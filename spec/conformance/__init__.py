"""The conformance suite: black-box checks of the requirements in spec/georeport-v2.md, for any server.

`run(Target(base_url), Preparation(...))` gives a Report; `spec.conformance.reports` prints it.
"""
