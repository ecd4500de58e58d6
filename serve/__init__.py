"""Bundle to HTTP: the BentoML service, the data plane in front of it, batching, hot swap and the prediction spool.

Nothing here imports a training framework; a test proves it.
"""
