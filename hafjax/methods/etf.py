# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A classifier fixed to a simplex ETF, trained with cross-entropy.

Zhu et al., NeurIPS 2021 (arXiv 2105.02375), and Yang et al., NeurIPS 2022
(arXiv 2203.09081), in its cross-entropy form: the end point of neural collapse,
given from the start. Blind to the hierarchy.
"""

from collections.abc import Mapping

from hafjax import frames
from hafjax.methods import base
from hafjax.methods import fixed

# Under cross-entropy, with the cosine loss, and turning to the features.
VARIANTS = {
  'etf': {},
  'etf_cosine': dict(alpha=0.4),
  'nearest_etf': dict(rotation=fixed.ROTATION),
}


def build(
  context: base.MethodContext,
  *,
  alpha: float = 0.0,
  rotation: Mapping | None = None,
) -> base.Method:
  """Fixed simplex ETF, randomly rotated by the context's seed.

  Args:
    context: see `base.MethodContext`.
    alpha: weight of the cosine loss, see `losses.haframe_loss`; an ablation of
      HAFrame (arXiv 2303.05689).
    rotation: fields of `fixed.Rotation`, for an ETF that turns to the features
      (Markou et al., NeurIPS 2024, arXiv 2411.01248, in closed form).
  """
  similarity = frames.etf_similarity(context.hierarchy.num_classes)
  return fixed.method(
    fixed.vectors(similarity, context), alpha, rotation=rotation
  )
