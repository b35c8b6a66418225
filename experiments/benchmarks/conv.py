# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Convolutions on CPU as XLA compiles them by default, and as we have it.

    python -m experiments.benchmarks.conv

Prints GFLOP/s of forward pass and kernel gradient for layers of our networks,
then images/s of whole training steps, without and with `compilation.options()`.
Each figure is the best of interleaved repetitions: a shared machine disturbs
single ones.
"""

import jax
import jax.numpy as jnp
import optax

from experiments.benchmarks import timing
from hafjax import models
from hafjax.models import heads
from hafjax.models import necks
from hafjax.models import network as network_lib
from hafjax.models.conv import conv
from hafjax.runs import tables
from hafjax.runtime import compiler

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


def both_ways(function, *arguments):
  """Calls of `function`, compiled by default and as we have it."""
  programs = [
    jax.jit(function).lower(*arguments).compile(options)
    for options in ({}, compiler.options())
  ]
  return [lambda p=program: p(*arguments) for program in programs]


def layer_row(size, inputs, outputs, stride):
  x = jax.random.normal(jax.random.key(0), (BATCH, size, size, inputs))
  layer = conv(outputs, 3, stride)
  params = layer.init(jax.random.key(1), x)
  out = layer.apply(params, x)

  def kernel_gradient(x, out):
    return jax.vjp(lambda params: layer.apply(params, x), params)[1](out)

  seconds = timing.best_seconds(
    both_ways(layer.apply, params, x) + both_ways(kernel_gradient, x, out),
    REPETITIONS,
  )
  operations = 2 * out.size * 9 * inputs
  return [
    f'{size} x {size}, {inputs} -> {outputs}, stride {stride}',
    *(f'{operations / s / 1e9:.1f}' for s in seconds),
    f'{seconds[0] / seconds[1]:.2f}',
    f'{seconds[2] / seconds[3]:.2f}',
  ]


def model_row(name, size, channels):
  network = network_lib.Network(
    models.build(name), necks.PoolNeck(), heads.Linear(10)
  )
  images = jax.random.normal(jax.random.key(0), (BATCH, size, size, channels))
  labels = jnp.arange(BATCH) % 10
  state = network.init(jax.random.key(1), images, train=False)

  def step(state, images):
    def loss(params):
      outputs, updated = network.apply(
        {**state, 'params': params}, images, train=True, mutable='batch_stats'
      )
      losses = optax.losses.softmax_cross_entropy_with_integer_labels(
        outputs.logits, labels
      )
      return losses.mean(), updated

    gradient, updated = jax.grad(loss, has_aux=True)(state['params'])
    params = jax.tree.map(lambda p, g: p - 0.01 * g, state['params'], gradient)
    return {'params': params, **updated}

  seconds = timing.best_seconds(both_ways(step, state, images), REPETITIONS)
  speeds = [BATCH / s for s in seconds]
  return [name, *(f'{v:,.0f}' for v in speeds), f'{speeds[1] / speeds[0]:.2f}']


def main():
  print(
    tables.markdown_table(
      [
        'GFLOP/s',
        'forward',
        'forward, ours',
        'gradient',
        'gradient, ours',
        'ratio',
        'ratio',
      ],
      [layer_row(*layer) for layer in LAYERS],
    )
  )
  print()
  print(
    tables.markdown_table(
      ['training, images/s', 'default', 'ours', 'ratio'],
      [model_row(*model) for model in MODELS],
    )
  )


if __name__ == '__main__':
  main()
