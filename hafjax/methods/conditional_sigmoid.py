# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A sigmoid of each node given its parent.

Brust and Denzler, 2019 (arXiv 1811.07125), as compared by Valmadre, NeurIPS
2022 (arXiv 2210.10929).
"""

from hafjax import losses
from hafjax.methods import base
from hafjax.models import heads


def build(context: base.MethodContext) -> base.Method:
  """A linear classifier of all nodes, each asked where its parent applies.

  Args:
    context: see `base.MethodContext`.
  """
  tree = context.hierarchy

  def loss(outputs, labels, progress):
    del progress
    return losses.conditional_sigmoid_loss(
      outputs.extras['node_logits'], labels, tree
    )

  def class_scores(node_logits):
    return losses.conditional_sigmoid_log_probs(node_logits, tree)

  return base.Method(heads.NodeLinear(tree.num_nodes, class_scores), loss)
