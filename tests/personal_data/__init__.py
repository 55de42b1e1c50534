"""The labelled texts with personal data, and the measure of how well the finders find them."""
