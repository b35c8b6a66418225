# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Geometry that theory predicts, and how far class means are from it."""

from typing import NamedTuple

from jaxtyping import Array, Float, Int
import numpy as np

from hafjax.collapse import measures
from hafjax.numerics.arrays import AnyArray


class Prediction(NamedTuple):
  """Products of class means and classifier rows, in which no rotation shows.

  A pytree. Lengths count, but for a factor common to all of a kind: general
  orthogonal frames have lengths that depend on class sizes.

  Attributes:
    means: of class means with each other, [K, K].
    rows: of classifier rows with each other, [K, K].
    products: of classifier rows with class means, [K, K].
  """

  means: Float[AnyArray, 'k k']
  rows: Float[AnyArray, 'k k']
  products: Float[AnyArray, 'k k']

  @classmethod
  def of(
    cls, classifier: Float[AnyArray, 'k d'], class_means: Float[AnyArray, 'k d']
  ) -> 'Prediction':
    """That of a classifier and class means."""
    return cls(
      class_means @ class_means.T,
      classifier @ classifier.T,
      classifier @ class_means.T,
    )

  def take(self, classes: Int[np.ndarray, 'c']) -> 'Prediction':
    """Of some classes alone."""
    return Prediction(*(gram[np.ix_(classes, classes)] for gram in self))

  def gaps(
    self,
    classifier: Float[AnyArray, 'k d'],
    class_means: Float[AnyArray, 'k d'],
  ) -> dict[str, Float[Array, '']]:
    """How far a classifier and class means are from it.

    Args:
      classifier: [K, d].
      class_means: not centred, [K, d].

    Returns:
      'nc2_means' and 'nc2_classifier', `collapse.nc2` of each, and 'nc3',
      `collapse.nc3` of both. nan where all are zero.
    """
    return dict(
      nc2_means=measures.nc2(class_means, self.means),
      nc2_classifier=measures.nc2(classifier, self.rows),
      nc3=measures.nc3(classifier, class_means, self.products),
    )
