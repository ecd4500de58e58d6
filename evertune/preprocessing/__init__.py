"""Host-side preprocessing as data: what a graph cannot do with texts, ids, images and missing values.

One object serves training and serving: a task transforms its rows with it, the bundle carries it as JSON, and the
server transforms requests with what the bundle holds. It is never pickled.
"""

from evertune.preprocessing.categories import Categories
from evertune.preprocessing.column import Column
from evertune.preprocessing.hashed import Hashed
from evertune.preprocessing.image import Image
from evertune.preprocessing.numeric import Numbers
from evertune.preprocessing.preprocessor import Preprocessor
from evertune.preprocessing.step import Step
from evertune.preprocessing.text import Text

__all__ = ["Categories", "Column", "Hashed", "Image", "Numbers", "Preprocessor", "Step", "Text"]
