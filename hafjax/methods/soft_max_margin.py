# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""One softmax over all nodes, wrong ones given a start.

Valmadre, NeurIPS 2022 (arXiv 2210.10929).
"""

from hafjax import losses
from hafjax.methods import base
from hafjax.models import heads


def build(
  context: base.MethodContext, *, margin: str = 'distance', weight: float = 1.0
) -> base.Method:
  """A linear classifier of all nodes, with a margin by how wrong they are.

  Args:
    context: see `base.MethodContext`.
    margin: 'distance' or 'incorrect', see `losses.soft_max_margin_loss`.
    weight: of the margin.
  """
  tree = context.hierarchy

  def loss(outputs, labels, progress):
    del progress
    return losses.soft_max_margin_loss(
      outputs.extras['node_logits'], labels, tree, margin, weight
    )

  def class_scores(node_logits):
    return node_logits[:, tree.leaves]

  return base.Method(heads.NodeLinear(tree.num_nodes, class_scores), loss)
