"""NOAA weather at Bellevue: an excerpt of the data (public domain, see LICENSE) and a task."""
