"""Text vectors against text vectors, in the language model's own space.

`TextSpace` makes of an ad's text vector what is compared, once per ad;
`TextMatching` compares a history's ads with candidates.
"""

from tfadrec.layers.text_matching.text_matching import TextMatching
from tfadrec.layers.text_matching.text_space import TextSpace

__all__ = ["TextMatching", "TextSpace"]
