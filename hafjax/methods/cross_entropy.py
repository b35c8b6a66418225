# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Cross-entropy with a learned linear classifier: the baseline."""

import optax

from hafjax.methods import base
from hafjax.models import heads


def build(task: base.Task) -> base.Method:
  """All mistakes are equal.

  Args:
    task: see `base.Task`.
  """

  def loss(outputs, labels, progress):
    del progress
    return optax.losses.softmax_cross_entropy_with_integer_labels(
      outputs['logits'], labels
    )

  return base.Method(head=heads.Linear(task.hierarchy.num_classes), loss=loss)
