# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Trains or evaluates one method in one directory.

    python -m hafjax.main --config=configs/quickstart.py --workdir=/tmp/run

The same command continues a run that was killed, and reports one that is done.
"""

from absl import flags
from ml_collections import config_flags

from hafjax import command
from hafjax import train

_CONFIG = config_flags.DEFINE_config_file(
  'config', None, 'What to run: configs/NAME.py[:VARIANT].', lock_config=True
)
_WORKDIR = flags.DEFINE_string(
  'workdir', None, 'Where checkpoints, logs and results go.'
)
flags.mark_flags_as_required(['config', 'workdir'])


if __name__ == '__main__':
  command.run(lambda: train.train_and_evaluate(_CONFIG.value, _WORKDIR.value))
