# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Frames: fixed class vectors whose cosines say how similar classes are.

Built once, on the host, in float64 (NumPy), whatever JAX's x64 flag says. The
mathematics is that of HAFrame (Liang and Davis, ICCV 2023, arXiv 2303.05689),
with its searched separation replaced by an exact one.

>>> from hafjax import frames, hierarchy
>>> tree = hierarchy.load_hierarchy('cifar100')
>>> frame = frames.haframe(tree, gamma=2.0)
>>> frame.shape
(100, 100)
>>> round(frames.min_similarity(tree, gamma=2.0), 8)
-0.3057392
>>> frames.TreeFrame.create(tree, gamma=2.0).dim
136
"""

from hafjax.frames.distances import FrameError
from hafjax.frames.distances import broken_triangle
from hafjax.frames.distances import check_distances
from hafjax.frames.distances import load_distances
from hafjax.frames.distances import metric_closure
from hafjax.frames.operators import DenseFrame
from hafjax.frames.operators import Frame
from hafjax.frames.operators import TreeFrame
from hafjax.frames.operators import as_frame
from hafjax.frames.rotation import nearest_rotation
from hafjax.frames.separation import min_similarity
from hafjax.frames.separation import similarity
from hafjax.frames.vectors import GramError
from hafjax.frames.vectors import barz_denzler_frame
from hafjax.frames.vectors import barz_denzler_similarity
from hafjax.frames.vectors import etf_similarity
from hafjax.frames.vectors import frame_from_similarity
from hafjax.frames.vectors import gram_error
from hafjax.frames.vectors import haframe
from hafjax.frames.vectors import low_dim_frame
from hafjax.frames.vectors import orthogonal_frame
from hafjax.frames.vectors import simplex_etf

__all__ = [
  'DenseFrame',
  'Frame',
  'FrameError',
  'GramError',
  'TreeFrame',
  'as_frame',
  'barz_denzler_frame',
  'barz_denzler_similarity',
  'broken_triangle',
  'check_distances',
  'etf_similarity',
  'frame_from_similarity',
  'gram_error',
  'haframe',
  'load_distances',
  'low_dim_frame',
  'metric_closure',
  'min_similarity',
  'nearest_rotation',
  'orthogonal_frame',
  'similarity',
  'simplex_etf',
]
