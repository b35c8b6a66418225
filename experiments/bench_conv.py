# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Kernel gradients of convolutions on CPU: XLA's beside ours, in one run.

    python -m experiments.bench_conv

Prints GFLOP/s of the forward pass and of both kernel gradients for layers of
our networks, then images/s of whole training steps with either. Each figure is
the best of interleaved repetitions: a shared machine disturbs single ones.
"""

import time
from unittest import mock

import jax
import jax.numpy as jnp
import optax

from hafjax import models
from hafjax import report
from hafjax.models import conv
from hafjax.models import heads
from hafjax.models import network as network_lib
from hafjax.models import tops

# (map size, channels in, channels out, stride), batch 64.
LAYERS = [
  (32, 3, 16, 1),
  (32, 16, 16, 1),
  (32, 16, 32, 1),
  (32, 32, 32, 1),
  (32, 32, 64, 2),
  (16, 32, 32, 1),
  (16, 64, 64, 1),
  (8, 64, 64, 1),
  (28, 1, 32, 2),
  (14, 32, 64, 2),
]
MODELS = [('wrn_10_1', 32, 3), ('wrn_16_2', 32, 3), ('convnet', 28, 1)]
BATCH = 64
REPETITIONS = 5


def best_seconds(functions):
  """Least time of each call, taking turns; the first round compiles."""
  best = [float('inf')] * len(functions)
  for repetition in range(REPETITIONS + 1):
    for i, function in enumerate(functions):
      start = time.perf_counter()
      jax.block_until_ready(function())
      if repetition:
        best[i] = min(best[i], time.perf_counter() - start)
  return best


def layer_row(size, inputs, outputs, stride):
  key = jax.random.key(0)
  x = jax.random.normal(key, (BATCH, size, size, inputs))
  kernel = jax.random.normal(key, (3, 3, inputs, outputs))

  def plain(x, kernel):
    return conv.plain(x, kernel, stride)

  forward = jax.jit(plain)
  gradient = forward(x, kernel)
  theirs = jax.jit(lambda x, g: jax.vjp(lambda k: plain(x, k), kernel)[1](g))
  ours = jax.jit(lambda x, g: conv.kernel_gradient(x, g, kernel, stride))
  seconds = best_seconds(
    [
      lambda: forward(x, kernel),
      lambda: theirs(x, gradient),
      lambda: ours(x, gradient),
    ]
  )
  operations = 2 * gradient.size * 9 * inputs
  return [
    f'{size} x {size}, {inputs} -> {outputs}, stride {stride}',
    *(f'{operations / s / 1e9:.1f}' for s in seconds),
    f'{seconds[1] / seconds[2]:.2f}',
    'ours' if conv.products_win(x.shape, kernel.shape) else 'XLA',
  ]


def training_step(name, size, channels):
  """A jitted step of SGD and its first arguments."""
  network = network_lib.Network(
    models.build(name), tops.PoolTop(), heads.Linear(10)
  )
  images = jax.random.normal(jax.random.key(0), (BATCH, size, size, channels))
  labels = jnp.arange(BATCH) % 10
  state = network.init(jax.random.key(1), images, train=False)

  @jax.jit
  def step(state):
    def loss(params):
      outputs, updated = network.apply(
        {**state, 'params': params}, images, train=True, mutable='batch_stats'
      )
      losses = optax.losses.softmax_cross_entropy_with_integer_labels(
        outputs['logits'], labels
      )
      return losses.mean(), updated

    gradient, updated = jax.grad(loss, has_aux=True)(state['params'])
    params = jax.tree.map(lambda p, g: p - 0.01 * g, state['params'], gradient)
    return {'params': params, **updated}

  # Traced now, under whichever convolution is in force.
  return step.lower(state).compile(), state


def model_row(name, size, channels):
  ours, state = training_step(name, size, channels)
  with mock.patch.object(conv, 'products_win', lambda *_: False):
    plain, _ = training_step(name, size, channels)
  seconds = best_seconds([lambda: plain(state), lambda: ours(state)])
  speeds = [BATCH / s for s in seconds]
  return [name, *(f'{v:,.0f}' for v in speeds), f'{speeds[1] / speeds[0]:.2f}']


def main():
  print(
    report.markdown_table(
      ['GFLOP/s', 'forward', 'XLA', 'ours', 'XLA time / ours', 'used'],
      [layer_row(*layer) for layer in LAYERS],
    )
  )
  print()
  print(
    report.markdown_table(
      ['training, images/s', 'XLA', 'ours', 'ratio'],
      [model_row(*model) for model in MODELS],
    )
  )


if __name__ == '__main__':
  main()
