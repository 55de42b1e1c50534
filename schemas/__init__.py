"""The wire contract in marshmallow: what every body and every call looks like. Imports nothing of ours."""
