# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Soft labels: targets that spread over the classes near the label.

Bertinetto et al., CVPR 2020 (arXiv 1912.09393).
"""

from hafjax import losses
from hafjax.methods import base
from hafjax.models import heads


def build(context: base.MethodContext, *, beta: float = 10.0) -> base.Method:
  """A linear classifier towards soft labels.

  Args:
    context: see `base.MethodContext`.
    beta: sharpness of the labels, see `losses.soft_labels`; published results
      range over 4 to 30.
  """
  table = losses.soft_labels(context.distances, beta)

  def loss(outputs, labels, progress):
    del progress
    return losses.soft_label_loss(outputs.logits, labels, table)

  return base.Method(
    head=heads.Linear(context.hierarchy.num_classes), loss=loss
  )
