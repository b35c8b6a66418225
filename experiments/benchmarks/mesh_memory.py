# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Memory of a step on each of several devices, by mesh; nothing is trained.

    python -m experiments.benchmarks.mesh_memory [--hierarchy=FILE]

A step of each method is compiled for so many devices of the CPU, once for each
way to split classes over them. Of the compiler's account, in MiB on each
device: what lies there between steps (weights, statistics, optimiser, frame),
and all that a step holds at once.
"""

import os

from absl import app
from absl import flags
import jax
import jax.numpy as jnp

from configs import quickstart
from hafjax.data import load_dataset
from hafjax.runs import tables
from hafjax.train import step
from hafjax.train.session import Session
from hafjax.train.setup import Setup

_HIERARCHY = flags.DEFINE_string(
  'hierarchy', 'tests/reference/hierarchies/inaturalist19.txt', 'The classes.'
)
_DEVICES = flags.DEFINE_integer('devices', 8, 'How many there are.')
_BATCH_SIZE = flags.DEFINE_integer('batch_size', 512, 'Of a step.')

# Variant, top, and fields of the method.
_CASES = (
  ('cross_entropy', 'linear', {}),
  ('cross_entropy', 'transform', {}),
  ('haframe', 'linear', {'method.frame': 'dense'}),
  ('haframe', 'transform', {}),
  ('haframe', 'linear', {'method.frame': 'tree'}),
)


def _config(variant: str, top: str, fields: dict, model: int):
  config = quickstart.get_config(variant)
  config.update(
    hierarchy=_HIERARCHY.value, top=top, model='mlp', mesh=dict(model=model)
  )
  config.synthetic.update(
    image_size=8, train_per_class=1, val_per_class=1, test_per_class=1
  )
  config.batch_size = _BATCH_SIZE.value
  config.update_from_flattened_dict(fields)
  return config


def _memory(config) -> dict[str, int]:
  data = load_dataset(config)
  setup = Setup.create(config, data)
  session = Session(setup)
  trainer = step.Trainer(session)
  batch = (config.batch_size,)
  images, labels = (
    jax.ShapeDtypeStruct(shape, dtype, sharding=session.devices.batch)
    for shape, dtype in (
      (batch + data.image_shape, jnp.uint8),
      (batch, jnp.int32),
    )
  )
  state = session.abstract_state
  trainer.compile(state, trainer.totals(), images, labels)
  return trainer.memory


def main(arguments):
  del arguments
  models = [m for m in range(1, _DEVICES.value + 1) if not _DEVICES.value % m]
  rows = []
  for variant, top, fields in _CASES:
    row = [' '.join([variant, f'({top})', *fields.values()])]
    for model in models:
      found = _memory(_config(variant, top, fields, model))
      sizes = (found[name] / 2**20 for name in ('state_bytes', 'step_bytes'))
      row.append(' / '.join(f'{size:.1f}' for size in sizes))
    rows.append(row)
  headers = ['classes over', *(f'{model}' for model in models)]
  print(tables.markdown_table(headers, rows))


def _parsed(arguments):
  """Flags, and as many devices, before JAX looks for them."""
  parsed = app.parse_flags_with_usage(arguments)
  count = f'--xla_force_host_platform_device_count={_DEVICES.value}'
  os.environ.update(XLA_FLAGS=count, JAX_PLATFORMS='cpu')
  return parsed


if __name__ == '__main__':
  app.run(main, flags_parser=_parsed)
