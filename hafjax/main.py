# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Trains or evaluates one method in one directory.

    python -m hafjax.main --config=configs/quickstart.py --workdir=/tmp/run

The same command continues a run that was killed, and reports one that is done.
"""

import logging as python_logging
import sys
import time

from absl import app
from absl import flags
from absl import logging
from ml_collections import config_flags

from hafjax import checkpoint
from hafjax import config as config_lib
from hafjax import data
from hafjax import frames
from hafjax import hierarchy
from hafjax import losses
from hafjax import methods
from hafjax import progress
from hafjax import rules
from hafjax import train

# Errors whose message is for the user, and says all there is to know. Any
# other one is a defect of ours, and keeps its traceback.
USER_ERRORS = (
  checkpoint.CheckpointError,
  config_lib.ConfigError,
  data.DataError,
  frames.FrameError,
  hierarchy.HierarchyError,
  losses.LossError,
  methods.MethodError,
  rules.RuleError,
)

_CONFIG = config_flags.DEFINE_config_file(
  'config', None, 'What to run: configs/NAME.py[:VARIANT].', lock_config=True
)
_WORKDIR = flags.DEFINE_string(
  'workdir', None, 'Where checkpoints, logs and results go.'
)
flags.mark_flags_as_required(['config', 'workdir'])


# Libraries that tell every step they take at level INFO.
_TALKATIVE = ('orbax', 'jax', 'grain', 'tensorflow')


def _is_ours_or_serious(record) -> bool:
  folders = record.pathname.split('/')
  return record.levelno > python_logging.INFO or not any(
    name in folders for name in _TALKATIVE
  )


def run(work):
  """Runs a command; users' errors end it with one sentence, not a traceback.

  Args:
    work: called without arguments, after flags are parsed.
  """

  def main(argv):
    if len(argv) > 1:
      raise app.UsageError(f'Unexpected arguments: {" ".join(argv[1:])}.')
    began = time.monotonic()
    try:
      work()
      logging.info(
        'Wall time %s, without imports.',
        progress.duration(time.monotonic() - began),
      )
    except USER_ERRORS as error:
      logging.debug('Details:', exc_info=True)
      logging.error('%s', error)
      sys.exit(1)

  logging.set_verbosity(logging.INFO)
  logging.get_absl_handler().addFilter(_is_ours_or_serious)
  app.run(main)


if __name__ == '__main__':
  run(lambda: train.train_and_evaluate(_CONFIG.value, _WORKDIR.value))
