# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A softmax among the children of each node, as in YOLO9000.

Redmon and Farhadi, CVPR 2017 (arXiv 1612.08242), with the weights of Bertinetto
et al., CVPR 2020 (arXiv 1912.09393).
"""

from hafjax import losses
from hafjax.methods import base
from hafjax.models import heads


def build(context: base.MethodContext, *, alpha: float = 0.0) -> base.Method:
  """A linear classifier of all nodes given their parents.

  Weights are not divided by their sum over all nodes, see `methods.hxe`.

  Args:
    context: see `base.MethodContext`.
    alpha: decay of the weights with depth, see
      `losses.conditional_softmax_loss`.
  """
  tree = context.hierarchy

  def loss(outputs, labels, progress):
    del progress
    return losses.conditional_softmax_loss(
      outputs.extras['node_logits'], labels, tree, alpha, normalise=False
    )

  def class_scores(node_logits):
    return losses.conditional_softmax_log_probs(node_logits, tree)

  return base.Method(heads.NodeLinear(tree.num_nodes, class_scores), loss)
