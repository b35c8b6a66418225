# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Hierarchy-aware cross-entropy (HACE).

Chan, D'Ascenzo and Cultrera di Montesano, 2026 (arXiv 2605.06274).
"""

from hafjax import losses
from hafjax.methods import base
from hafjax.models import heads


def build(
  context: base.MethodContext, *, leaf_weight: float = 0.7
) -> base.Method:
  """A linear classifier towards the path to the label.

  Args:
    context: see `base.MethodContext`.
    leaf_weight: of the leaf in the target, see `losses.hace_loss`; the authors
      tried 0.2, 0.5 and 0.7.
  """

  def loss(outputs, labels, progress):
    del progress
    return losses.hace_loss(
      outputs.logits, labels, context.hierarchy, leaf_weight
    )

  return base.Method(
    head=heads.Linear(context.hierarchy.num_classes), loss=loss
  )
