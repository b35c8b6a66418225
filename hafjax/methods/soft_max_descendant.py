# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""One softmax over all nodes, summed below each.

Valmadre, NeurIPS 2022 (arXiv 2210.10929).
"""

from hafjax import losses
from hafjax.methods import base
from hafjax.models import heads


def build(task: base.MethodContext) -> base.Method:
  """A linear classifier of all nodes, trained on every node of the path.

  Args:
    task: see `base.Task`.
  """
  tree = task.hierarchy

  def loss(outputs, labels, progress):
    del progress
    return losses.soft_max_descendant_loss(outputs['logits'], labels, tree)

  def scores(outputs):
    return outputs['logits'][:, tree.leaves]

  return base.Method(heads.Linear(tree.num_nodes), loss, scores)
