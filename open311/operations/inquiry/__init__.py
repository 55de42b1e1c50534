"""Answers to what people ask: a city's articles and its days. They are read from the city's files alone."""
