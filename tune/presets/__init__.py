"""Model families for a user with data and no model code. Importing this imports no framework."""

from tune.presets._image import image
from tune.presets._recommendation import recommendation
from tune.presets._tabular import tabular
from tune.presets._text import text

__all__ = ["image", "recommendation", "tabular", "text"]
