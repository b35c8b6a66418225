# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The config that a run was started with, from its record."""

import os

from hafjax.files.text import describe_error
from hafjax.runs import record as records
from hafjax.runs.record import CheckpointError
from hafjax.train.config import completed


def recorded_config(workdir: str | os.PathLike, **changes):
  """The `ConfigDict` that a run was started with.

  Fields that did not exist then have the value that stands for what was done.

  Args:
    workdir: the run's.
    **changes: fields that say where and how, such as `data_dir`.

  Raises:
    CheckpointError: if there is no run, or its config is damaged.
  """
  # Imported here: the step and the models are used where ml_collections is not
  # installed, too.
  from ml_collections import config_dict

  try:
    config = completed(records.read_record(workdir)['config'])
    return config_dict.ConfigDict(config | changes)
  except CheckpointError:
    raise
  except (AttributeError, KeyError, TypeError, ValueError) as error:
    raise CheckpointError(
      f'The config in {workdir}/run.json is damaged '
      f'({describe_error(error)}): restore it, or train again.'
    ) from error
