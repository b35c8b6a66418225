# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A classifier per level on features of its own and of all finer levels.

Chang et al., "Your 'Flamingo' is My 'Bird'", CVPR 2021 (arXiv 2011.09040).
"""

from hafjax.hierarchy.levels import level_maps
from hafjax.losses import levels
from hafjax.methods import base
from hafjax.models import level_heads


def build(context: base.MethodContext) -> base.Method:
  """Cross-entropy at every level; the finest level predicts.

  Args:
    context: see `base.MethodContext`; features of at least as many dimensions
      as the tree has levels.
  """
  tree = context.hierarchy

  def loss(outputs, labels, progress):
    del progress
    return levels.flamingo_loss(outputs.extras['level_logits'], labels, tree)

  return base.Method(level_heads.Flamingo(level_maps(tree).sizes), loss)
