"""The contracts at which Evertune's rooms meet.

Light on purpose: importing this package, or any module in it, never imports TensorFlow, torch, Keras, scikit-learn or
BentoML. The stage folders (`tune`, `export`, `serve`, `monitoring`, `retune`) import from here and never from each
other, except where docs/architecture.md draws an arrow.
"""

__version__ = "0.1.0"
