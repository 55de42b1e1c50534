"""Imports requests of other systems from files, batch by batch.

A row whose id is stored already is about the stored request. If the row differs from the stored request, it changes
the request and adds to its history. A row that is older than an earlier imported row changes nothing. A field that
was changed here is changed only by a row with a later date. So an import can run again, after it was stopped or
with a newer file of the same source.

`open311.formats.reading` reads the rows. `open311.domain.mending` repairs their values. `matching` finds their
services and departments in the catalogue. `areas` and `nearby` look up their places. `merging` decides what they
change. `storing` writes them, `batches` imports some rows in one transaction, and `processes` shares the batches
among processes.
"""
