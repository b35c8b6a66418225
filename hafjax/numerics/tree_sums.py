# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Sums along a tree, of arrays with a value per node: O(nodes) an example.

Each walks the tree a level at a time, so that what is compiled grows with the
height and not with the nodes. `tree` is a `hierarchy.Hierarchy`, or anything
else with its `parents` and `level_starts`.
"""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float
import numpy as np


def down(values: Float[Array, 'b n'], tree) -> Float[Array, 'b n']:
  """For each node, the sum of `values` from the root down to it."""
  return _down(tree.level_starts, jnp.asarray(tree.parents), values)


def up(values: Float[Array, 'b n'], tree) -> Float[Array, 'b n']:
  """For each node, the sum of `values` over it and all nodes below it."""
  return _up(tree.level_starts, jnp.asarray(tree.parents), values)


def _blocks(starts):
  """First nodes of the level above, the level and the next, from depth 1."""
  return list(zip(starts, starts[1:], starts[2:], strict=False))


# Each is the transpose of the other: left to itself, JAX makes slow scatters.
@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _down(starts, parents, values):
  sums = [values[:, :1]]
  for above, first, last in _blocks(starts):
    inherited = sums[-1][:, parents[first:last] - above]
    sums.append(values[:, first:last] + inherited)
  return jnp.concatenate(sums, axis=1)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _up(starts, parents, values):
  sums = [values[:, starts[-2] :]]
  for above, first, last in reversed(_blocks(starts)):
    below = _children(jax.ops.segment_sum, sums[0], parents, above, first, last)
    sums.insert(0, values[:, above:first] + below)
  return jnp.concatenate(sums, axis=1)


_down.defvjp(
  lambda starts, parents, values: (_down(starts, parents, values), parents),
  lambda starts, parents, gradient: (None, _up(starts, parents, gradient)),
)
_up.defvjp(
  lambda starts, parents, values: (_up(starts, parents, values), parents),
  lambda starts, parents, gradient: (None, _down(starts, parents, gradient)),
)


def log_up(values: Float[Array, 'b n'], tree) -> Float[Array, 'b n']:
  """For each node, the log of the summed exponentials of it and those below.

  Args:
    values: [B, N]; minus infinity for nodes that have no share of their own,
      which leaves may not be.
    tree: N nodes.
  """
  parents, starts = jnp.asarray(tree.parents), tree.level_starts
  sums = [values[:, starts[-2] :]]
  for above, first, last in reversed(_blocks(starts)):
    here, block = values[:, above:first], (parents, above, first, last)
    largest = _children(
      jax.ops.segment_max, jax.lax.stop_gradient(sums[0]), *block
    )
    largest = jnp.maximum(largest, jax.lax.stop_gradient(here))
    shifted = sums[0] - largest[:, parents[first:last] - above]
    below = _children(jax.ops.segment_sum, jnp.exp(shifted), *block)
    total = jnp.log(jnp.exp(here - largest) + below) + largest
    sums.insert(0, total)
  return jnp.concatenate(sums, axis=1)


def _children(reduce, values, parents, above, first, last):
  """`reduce` over the children of each node of a level, [B, first - above]."""
  # Breadth first, the children of a node are neighbours, in their parents'
  # order.
  return reduce(
    values.T,
    parents[first:last] - above,
    num_segments=first - above,
    indices_are_sorted=True,
  ).T


def on_leaves(
  values: Float[Array, 'b k'], tree, fill: float = 0.0
) -> Float[Array, 'b n']:
  """Values of classes at their leaves, `fill` at all other nodes."""
  classes = np.full(tree.level_starts[-1], len(tree.leaves))
  classes[np.asarray(tree.leaves)] = np.arange(len(tree.leaves))
  # A gather from one more column is faster on CPU than a scatter.
  extended = jnp.pad(values, ((0, 0), (0, 1)), constant_values=fill)
  return extended[:, classes]
