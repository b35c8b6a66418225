# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A classifier fixed to a simplex ETF, trained with cross-entropy.

Zhu et al., NeurIPS 2021 (arXiv 2105.02375), and Yang et al., NeurIPS 2022
(arXiv 2203.09081), in its cross-entropy form: the end point of neural collapse,
given from the start. Blind to the hierarchy.
"""

from hafjax import frames
from hafjax.methods import base
from hafjax.methods import haframe


def build(task: base.Task) -> base.Method:
  """Fixed simplex ETF, randomly rotated by the task's seed."""
  frame = frames.simplex_etf(
    task.hierarchy.num_classes, task.feature_dim, seed=task.seed
  )
  return haframe.fixed_frame(frame, alpha=0.0)
