# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Sums along trees, against products with the matrix of all ancestors."""

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np

from hafjax.hierarchy import Hierarchy
from hafjax.numerics import tree_sums
from tests import strategies


def ancestors(tree):
  """Which nodes (columns) lie on the way from each node (row) to the root."""
  matrix = np.eye(tree.num_nodes)
  for node in range(1, tree.num_nodes):
    matrix[node] += matrix[tree.parents[node]]
  return matrix


@hypothesis.settings(max_examples=6)
@hypothesis.given(strategies.trees())
def test_sums_and_gradients(tree):
  rng = np.random.default_rng(0)
  values, weights = rng.standard_normal((2, 3, tree.num_nodes))
  matrix = ancestors(tree)

  @jax.jit
  def everything(values, weights):
    down, to_down = jax.vjp(lambda v: tree_sums.down(v, tree), values)
    up, to_up = jax.vjp(lambda v: tree_sums.up(v, tree), values)
    logs = tree_sums.log_up(values, tree)
    return down, to_down(weights)[0], up, to_up(weights)[0], logs

  with jax.enable_x64(True):
    found = everything(values, weights)
  wanted = (
    values @ matrix.T,
    weights @ matrix,
    values @ matrix,
    weights @ matrix.T,
    np.log(np.exp(values) @ matrix),
  )
  for ours, theirs in zip(found, wanted, strict=True):
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_log_up_of_leaves_alone_is_safe_and_has_gradients():
  tree = Hierarchy.from_paths(['r/a/x', 'r/a/y', 'r/b/c/z', 'r/w'])
  leaves = jnp.asarray([[500.0, -500.0, 0.0, 3.0]], jnp.float32)

  @jax.jit
  def sums(leaves):
    nodes = jnp.full((1, tree.num_nodes), -jnp.inf)
    return tree_sums.log_up(nodes.at[:, tree.leaves].set(leaves), tree)

  found = sums(leaves)
  assert np.isfinite(found).all()
  np.testing.assert_allclose(found[0, 0], 500.0)
  gradient = jax.grad(lambda leaves: sums(leaves)[0, 0])(leaves)
  np.testing.assert_allclose(gradient, jax.nn.softmax(leaves), atol=1e-7)


def test_path_table():
  tree = Hierarchy.from_paths(['r/a/x', 'r/b', 'r/a/c/y'])
  names = [
    [tree.node_names[node] for node in row if node >= 0]
    for row in tree.path_table
  ]
  assert names == [['r', 'a', 'x'], ['r', 'b'], ['r', 'a', 'c', 'y']]
  assert tree.path_table.shape == (3, 4)
  assert (tree.path_table[1] == [0, 2, -1, -1]).all()
