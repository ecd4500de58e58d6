"""SMS Spam Collection: an excerpt of the data (CC BY 4.0, see LICENSE) and a task."""
