"""Series that the tests of forecasts share: their truth is known, because this module makes them."""
