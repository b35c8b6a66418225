# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A ranking loss towards given label embeddings (DeViSE).

Frome et al., NeurIPS 2013.
"""

import numpy as np

from hafjax import frames
from hafjax import losses
from hafjax.files.arrays import as_real
from hafjax.files.arrays import load_array
from hafjax.files.text import describe_error
from hafjax.hierarchy import Hierarchy
from hafjax.methods import base
from hafjax.methods import fixed
from hafjax.models import heads


def build(
  context: base.MethodContext, *, margin: float = 0.1, embeddings: str = ''
) -> base.Method:
  """Features that rank the label's vector first.

  Args:
    context: see `base.MethodContext`.
    margin: of the ranking, > 0.
    embeddings: a `.npy` file of label vectors, [K, d], in class order, say of
      words; '' for the hierarchy's own, with cosines 1 - D / max D (Barz and
      Denzler, WACV 2019), as in the comparison of Bertinetto et al., CVPR 2020.
  """
  if not margin > 0:
    raise base.MethodError(f'margin must be positive, got {margin}.')
  if embeddings:
    vectors = _read(embeddings, context.hierarchy)
    if context.feature_dim not in (None, vectors.shape[1]):
      raise base.MethodError(
        f'The vectors of {embeddings} have {vectors.shape[1]} dimensions and '
        f"features have {context.feature_dim}: use top='transform' or "
        "'linear', and no feature_dim."
      )
  else:
    vectors = fixed.vectors(
      frames.barz_denzler_similarity(context.distances), context
    )

  def loss(outputs, labels, progress):
    del progress
    return losses.ranking_loss(
      outputs.features, outputs.frame.vectors, labels, margin
    )

  return base.Method(
    heads.Fixed(vectors), loss, fixed.cosines, feature_dim=vectors.shape[1]
  )


def _read(file: str, tree: Hierarchy) -> np.ndarray:
  """Unit rows from a file."""
  try:
    vectors = as_real(load_array(file))
  except (OSError, ValueError, TypeError) as error:
    raise base.MethodError(
      f'The embeddings {file} cannot be read as a .npy file of numbers: '
      f'{describe_error(error)}.'
    ) from error
  if vectors.ndim != 2 or len(vectors) != tree.num_classes:
    raise base.MethodError(
      f'The embeddings {file} must have a row for each of the '
      f'{tree.num_classes} classes, got an array of shape {vectors.shape}.'
    )
  norms = np.linalg.norm(vectors, axis=1)
  bad = np.flatnonzero(~(np.isfinite(norms) & (norms > 0)))
  if len(bad):
    raise base.MethodError(
      f'The embeddings {file} must be finite and not zero, which row {bad[0]} '
      f'({tree.class_names[bad[0]]}) is not.'
    )
  return vectors / norms[:, None]
