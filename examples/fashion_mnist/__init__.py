"""Fashion-MNIST: an excerpt of the data (MIT, see LICENSE) and the task that the demo tunes."""
