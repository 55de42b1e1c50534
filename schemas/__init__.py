"""The wire contract in marshmallow: the fields of all bodies and the parameters of all calls."""
