"""Series that the tests of forecasts share. The package makes them, so the tests know the true season and trend."""
