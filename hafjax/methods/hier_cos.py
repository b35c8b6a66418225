# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Orthogonal subspaces composed along the tree (Hier-COS).

Sani and Anand, CVPR 2026 (arXiv 2503.07853).
"""

from hafjax import frames
from hafjax.losses import hier_cos
from hafjax.methods import base
from hafjax.models import level_heads


def build(context: base.MethodContext, *, alpha: float = 0.05) -> base.Method:
  """A fixed random direction per node; classes score by their path's share.

  Args:
    context: see `base.MethodContext`; features of N - 1 dimensions, a node each
      without the root.
    alpha: weight of the term that asks for one node per level, see
      `hier_cos.hier_cos_loss`; published are 0.05 for CIFAR-100 and 1e-5 for
      tieredImageNet-H.
  """
  tree = context.hierarchy
  if not alpha >= 0:
    raise base.MethodError(f'alpha must be at least 0, got {alpha}.')
  dim = tree.num_nodes - 1
  if context.feature_dim not in (None, dim):
    raise base.MethodError(
      f'hier_cos needs features of {dim} dimensions, a node each without the '
      f'root, got {context.feature_dim}: leave feature_dim alone and use '
      "top='transform' or 'linear'."
    )

  def loss(outputs, labels, progress):
    del progress
    return hier_cos.hier_cos_loss(
      outputs.extras['node_logits'], labels, tree, alpha
    )

  basis = frames.orthogonal_frame(dim, seed=context.seed)
  return base.Method(level_heads.HierCos(tree, basis), loss, feature_dim=dim)
