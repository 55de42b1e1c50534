"""The conformance suite: black-box checks of the requirements in spec/georeport-v2.md, for any server.

`runner.run(Target(base_url), Preparation(...))` returns a Report. `spec.conformance.reports` formats reports.
"""
