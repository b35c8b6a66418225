# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""One softmax over all nodes, summed below each.

Valmadre, NeurIPS 2022 (arXiv 2210.10929).
"""

from hafjax import losses
from hafjax.methods import base
from hafjax.models import heads


def build(context: base.MethodContext) -> base.Method:
  """A linear classifier of all nodes, trained on every node of the path.

  Args:
    context: see `base.MethodContext`.
  """
  tree = context.hierarchy

  def loss(outputs, labels, progress):
    del progress
    return losses.soft_max_descendant_loss(
      outputs.extras['node_logits'], labels, tree
    )

  def class_scores(node_logits):
    return node_logits[:, tree.leaves]

  return base.Method(heads.NodeLinear(tree.num_nodes, class_scores), loss)
