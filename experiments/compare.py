# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Methods x seeds of any config, in one table.

    python -m experiments.compare --config=configs/quickstart.py \
        --methods=haframe,cross_entropy --seeds=0,1,2 --workdir=/tmp/compare

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
from hafjax import checkpoint
from hafjax import main as main_lib
from hafjax import report
from hafjax import train

# Registered as `config` already, with --workdir, by hafjax.main.
_METHODS = flags.DEFINE_list(
  'methods', None, "The config's variants to compare, by commas; or 'all'."
)
_SEEDS = flags.DEFINE_list('seeds', ['0', '1', '2'], 'Seeds, by commas.')
flags.mark_flag_as_required('methods')


def _config(variant: str, seed: int):
  """The config file's variant, with the command line's overrides and a seed."""
  flag = flags.FLAGS['config']
  # A variant after the colon only says which fields can be overridden.
  file = config_flags.get_config_filename(flag).partition(':')[0]
  config = runpy.run_path(file)['get_config'](variant)
  config.update_from_flattened_dict(config_flags.get_override_values(flag))
  config.seed = seed
  return config


def compare():
  """Trains what is missing, and makes the table of all."""
  folder = pathlib.Path(flags.FLAGS.workdir)
  variants = _METHODS.value
  if variants == ['all']:
    variants = list(common.VARIANTS)
  runs = [(variant, int(seed)) for variant in variants for seed in _SEEDS.value]
  results = []
  for number, (variant, seed) in enumerate(runs, 1):
    logging.info('Run %d of %d: %s, seed %d.', number, len(runs), variant, seed)
    results.append(
      train.train_and_evaluate(
        _config(variant, seed), folder / variant / str(seed)
      )
    )
  tables = [report.results_table(results), report.selective_table(results)]
  table = '\n\n'.join(filter(None, tables))
  (folder / 'table.md').write_text(table + '\n')
  checkpoint.write_json(folder / 'table.json', results)
  logging.info('\n%s\nSaved in %s.', table, folder)


if __name__ == '__main__':
  main_lib.run(compare)
