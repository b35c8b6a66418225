# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""One softmax over all nodes, wrong ones given a start.

Valmadre, NeurIPS 2022 (arXiv 2210.10929).
"""

from hafjax import losses
from hafjax.methods import base
from hafjax.models import heads


def build(
  task: base.MethodContext, *, margin: str = 'distance', weight: float = 1.0
) -> base.Method:
  """A linear classifier of all nodes, with a margin by how wrong they are.

  Args:
    task: see `base.Task`.
    margin: 'distance' or 'incorrect', see `losses.soft_max_margin_loss`.
    weight: of the margin.
  """
  tree = task.hierarchy

  def loss(outputs, labels, progress):
    del progress
    return losses.soft_max_margin_loss(
      outputs['logits'], labels, tree, margin, weight
    )

  def scores(outputs):
    return outputs['logits'][:, tree.leaves]

  return base.Method(heads.Linear(tree.num_nodes), loss, scores)
