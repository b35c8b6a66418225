# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Pictures of frames, as matplotlib figures.

>>> from hafjax import frames, hierarchy, plots
>>> tree = hierarchy.load_hierarchy('cifar100')
>>> cosines = frames.similarity(tree, gamma=2.0)
>>> figure = plots.similarity_picture(cosines, tree)
>>> type(figure)
<class 'matplotlib.figure.Figure'>

Needs matplotlib, which `pip install hafjax[pictures]` brings. No pyplot: no
global state changes, and a notebook shows a figure once, where it ends a cell.
"""

from hafjax.plots.classes import tree_order
from hafjax.plots.embedding import embedding_picture
from hafjax.plots.similarity import similarity_picture
from hafjax.plots.spectrum import spectrum_picture

__all__ = [
  'embedding_picture',
  'similarity_picture',
  'spectrum_picture',
  'tree_order',
]
