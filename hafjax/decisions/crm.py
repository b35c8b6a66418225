# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Conditional risk minimization (CRM): the class of least expected cost."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Num

from hafjax.decisions.nodes import node_probabilities
from hafjax.hierarchy import KINDS
from hafjax.hierarchy import Hierarchy
from hafjax.numerics import arrays
from hafjax.numerics import tree_sums
from hafjax.numerics.arrays import ArrayLike
from hafjax.numerics.vectors import at_least_float32


def crm(
  probs: Float[ArrayLike, 'b k'], cost: Num[ArrayLike, 'k k']
) -> Float[Array, 'b k']:
  """Minus the risk of each answer, given the probabilities of the classes.

  The risk of answering c is sum_i p_i cost[i, c].

  Args:
    probs: of classes, [B, K]; half precision is raised to float32.
    cost: of answers, [K, K], a row for each true class.

  Returns:
    float[B, K], larger for better answers. CRM: Karthik et al., ICLR 2021
    (arXiv 2104.00795), equation for the conditional risk.

  Raises:
    ValueError: if the shapes do not fit.
  """
  probs, cost = arrays.as_jax(probs), arrays.as_jax(cost)
  if probs.ndim != 2 or cost.shape != (probs.shape[1],) * 2:
    raise ValueError(
      'probs must be of shape [B, K] and cost of shape [K, K], got '
      f'{list(probs.shape)} and {list(cost.shape)}.'
    )
  probs = at_least_float32(probs)
  # Many risks differ by little: accelerators' short products would reorder
  # them.
  return -jnp.matmul(
    probs, cost.astype(probs.dtype), precision=jax.lax.Precision.HIGHEST
  )


def crm_tree(
  probs: Float[ArrayLike, 'b k'],
  hierarchy: Hierarchy,
  kind: str = 'lca_height',
) -> Float[Array, 'b k']:
  """`crm` with the costs `hierarchy.distances(kind)`, in O(N) an example.

  With v(n) the distance of two classes that part at n, and 0 at leaves, the
  risk of c is P(root) v(root) less the sum, over the nodes n below the root on
  the path to c, of P(n) (v(parent of n) - v(n)).

  Args:
    probs: of classes, [B, K]; half precision is raised to float32.
    hierarchy: N nodes, K classes; its table of distances is not made.
    kind: of distances, see `Hierarchy.distances`.

  Returns:
    float[B, K], larger for better answers; equal risks of classes that are not
    siblings are equal up to rounding. Karthik et al., ICLR 2021 (arXiv
    2104.00795); the sum along the path is ours.

  Raises:
    ValueError: if there is not a column for each class, or no such kind.
  """
  if kind not in KINDS:
    raise ValueError(f'kind must be one of {", ".join(KINDS)}, got {kind!r}.')
  masses = node_probabilities(probs, hierarchy)
  values = hierarchy.node_heights.copy()
  if kind == 'lca_depth':
    values = hierarchy.height - hierarchy.node_depths
    values[hierarchy.leaves] = 0
  gains = values[hierarchy.parents] - values
  gains[0] = -values[0]
  gains = gains.astype(masses.dtype)[None]
  scores = tree_sums.down(masses * gains, hierarchy)
  return scores[:, hierarchy.leaves]
