# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Hierarchy-aware features (HAF): a classifier per level that agree.

Garg, Sani and Anand, ECCV 2022 (arXiv 2207.12646).
"""

from hafjax.hierarchy.levels import level_maps
from hafjax.losses import levels
from hafjax.methods import base
from hafjax.models import level_heads


def build(context: base.MethodContext, *, margin: float = 3.0) -> base.Method:
  """Cross-entropy of the classes, and levels tied to each other and the tree.

  Args:
    context: see `base.MethodContext`.
    margin: how far predictions of examples with different coarse labels are to
      diverge, see `levels.hafeature_loss`; no divergence exceeds log 2.
  """
  tree = context.hierarchy

  def loss(outputs, labels, progress):
    del progress
    return levels.hafeature_loss(
      outputs.extras['level_logits'],
      outputs.extras['level_weights'],
      labels,
      tree,
      margin=margin,
    )

  sizes = level_maps(tree).sizes
  return base.Method(level_heads.LevelClassifiers(sizes), loss)
