# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Methods x seeds of any config, in one table.

    python -m hafjax.compare --config=configs/quickstart.py \
        --methods=haframe,cross_entropy --seeds=0,1,2 --workdir=/tmp/compare

With --rates=1,3,10 each method first chooses its learning rates, for losses
differ in scale: rows then say which.

Each run has a folder of its own, WORKDIR/METHOD/SEED; what is done there is not
done again, and what was killed goes on. The table (test split, best checkpoint
by validation top-1, mean and 95% interval over seeds) is printed and saved as
WORKDIR/table.md, the figures behind it as WORKDIR/table.json. Config fields are
overridden as in hafjax.main: --config.num_epochs=2. Rules of inference can be
added to runs that are done: --config.eval.rules="('crm','hie','selective')".
"""

import pathlib
import runpy

from absl import flags
from absl import logging
from ml_collections import config_flags

from configs import common
from hafjax.cli import runner
from hafjax.runs import checkpoints
from hafjax.runs import tables as tables_lib
from hafjax.train.run import DivergedError
from hafjax.train.run import train_and_evaluate

_CONFIG = config_flags.DEFINE_config_file(
  'config', None, 'What to run: configs/NAME.py.', lock_config=True
)
_WORKDIR = flags.DEFINE_string('workdir', None, 'Where the runs go.')
_METHODS = flags.DEFINE_list(
  'methods', None, "The config's variants to compare, by commas; or 'all'."
)
_SEEDS = flags.DEFINE_list('seeds', ['0', '1', '2'], 'Seeds, by commas.')
_RATES = flags.DEFINE_list(
  'rates',
  ['1'],
  'Factors of all learning rates. Of several, each method takes the one that '
  'is best by validation top-1 with --tuning_seed.',
)
_TUNING_SEED = flags.DEFINE_integer(
  'tuning_seed', 1000, 'Seed that rates are chosen by, none of --seeds.'
)
flags.mark_flags_as_required(['config', 'workdir', 'methods'])


@flags.validator(
  'rates', message='--rates must be positive numbers, by commas.'
)
def _are_rates(values) -> bool:
  try:
    return bool(values) and all(float(value) > 0 for value in values)
  except ValueError:
    return False


def _config(variant: str, seed: int, rate: str):
  """The config file's variant, with the command line's overrides and a seed."""
  flag = flags.FLAGS[_CONFIG.name]
  # A variant after the colon only says which fields can be overridden.
  file = config_flags.get_config_filename(flag).partition(':')[0]
  config = runpy.run_path(file)['get_config'](variant)
  config.update_from_flattened_dict(config_flags.get_override_values(flag))
  config.seed = seed
  for part in config.lr:
    config.lr[part] *= float(rate)
  return config


def _train(variant: str, seed: int, rate: str) -> dict:
  folder = pathlib.Path(_WORKDIR.value)
  if len(_RATES.value) > 1:
    folder /= f'rate_{rate}'
  return train_and_evaluate(
    _config(variant, seed, rate), folder / variant / str(seed)
  )


def _best_rate(variant: str) -> str:
  rates = _RATES.value
  if len(rates) == 1:
    return rates[0]
  found = {rate: _validation_top1(variant, rate) for rate in rates}
  return max(found, key=found.get)


def _validation_top1(variant: str, rate: str) -> float:
  """Of the tuning seed; -1 where training diverged."""
  try:
    return _train(variant, _TUNING_SEED.value, rate)['val']['top1']
  except DivergedError as error:
    logging.warning('%s, rates x %s: %s', variant, rate, error)
    return -1.0


def compare():
  """Trains what is missing, and makes the table of all."""
  folder = pathlib.Path(_WORKDIR.value)
  variants = _METHODS.value
  if variants == ['all']:
    variants = list(common.VARIANTS)
  seeds = [int(seed) for seed in _SEEDS.value]
  results = []
  for number, variant in enumerate(variants, 1):
    rate = _best_rate(variant)
    for seed in seeds:
      logging.info(
        'Method %d of %d: %s, rates x %s, seed %d.',
        number,
        len(variants),
        variant,
        rate,
        seed,
      )
      result = _train(variant, seed, rate)
      if len(_RATES.value) > 1:
        result = dict(result, variant=f'{variant} (x {rate})')
      results.append(result)
  tables = [
    tables_lib.results_table(results),
    tables_lib.curve_table(results),
  ]
  table = '\n\n'.join(filter(None, tables))
  (folder / 'table.md').write_text(table + '\n')
  checkpoints.write_json(folder / 'table.json', results)
  logging.info('\n%s\nSaved in %s.', table, folder)


if __name__ == '__main__':
  runner.run(compare)
