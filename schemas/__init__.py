"""The wire contract, written with marshmallow: the fields of all bodies and the parameters of all calls."""
