# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What is checked before any work starts; all problems are told at once."""

from collections.abc import Callable
import numbers
import os

from hafjax import methods
from hafjax import models
from hafjax.data import SPECS
from hafjax.errors import UserError
from hafjax.hierarchy import KINDS
from hafjax.hierarchy import builtin_names
from hafjax.models import necks
from hafjax.runtime import mesh


class ConfigError(UserError):
  """A config that cannot work; the message lists every problem."""


def _is_integer(value) -> bool:
  return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _is_number(value) -> bool:
  return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _at_least(least):
  return (
    lambda value: _is_integer(value) and value >= least,
    f'must be an integer of at least {least}',
  )


def _one_of(*values):
  return (
    lambda value: value in values,
    f'must be one of {", ".join(map(repr, values))}',
  )


_TEXT = (lambda value: isinstance(value, str), 'must be text')


def _file_or(*names):
  """A path to a file that exists, one of some names, or ''."""
  return (
    lambda value: (
      isinstance(value, str)
      and (value in ('', *names) or os.path.isfile(value))
    ),
    f"must be '', one of {', '.join(map(repr, names))}, or a file that exists",
  )


_POSITIVE = (
  lambda value: _is_number(value) and 0 < value < float('inf'),
  'must be a positive number',
)
_FRACTION = (
  lambda value: _is_number(value) and 0 <= value < 1,
  'must be a number in [0, 1)',
)


_NOT_NEGATIVE = (
  lambda value: _is_number(value) and 0 <= value < float('inf'),
  'must be a number of at least 0',
)
_SHARE = (
  lambda value: _is_number(value) and 0 < value < 1,
  'must be a number between 0 and 1',
)
_NUMBERS = (
  lambda value: len(value) > 0 and all(map(_is_number, value)),
  'must be a list of numbers',
)
_POSITIVES = (
  lambda value: len(value) > 0 and all(map(_POSITIVE[0], value)),
  'must be a list of positive numbers',
)
_NAMES = (
  lambda value: (
    not isinstance(value, str) and all(isinstance(n, str) for n in value)
  ),
  'must be a list of names',
)


def _optional(rule):
  accept, words = rule
  return (lambda value: value is None or accept(value)), f'{words}, or None'


# Field -> (predicate, what the field must be). Fields with a point in them are
# inside a group.
FIELDS = {
  'variant': _TEXT,
  'mode': _one_of('train', 'eval'),
  'seed': _at_least(0),
  'dataset': _one_of(*SPECS),
  'data_dir': _TEXT,
  'hierarchy': _file_or(*builtin_names()),
  'level': _optional(_at_least(1)),
  'distance': _file_or(*KINDS),
  'image_size': _optional(_at_least(1)),
  'crop_padding': _optional(_at_least(0)),
  'flip': _optional(_one_of(True, False)),
  'imbalance.counts': (
    lambda value: all(_at_least(1)[0](count) for count in value),
    'must be a list of positive integers',
  ),
  'imbalance.factor': (
    lambda value: _is_number(value) and 1 <= value < float('inf'),
    'must be a number of at least 1',
  ),
  'random_crop': _optional(_one_of('', 'resized', 'stretched')),
  'mean': _optional(_NUMBERS),
  'std': _optional(_POSITIVES),
  'input.workers': _at_least(0),
  'input.memory_gib': _NOT_NEGATIVE,
  'input.cache_dir': _TEXT,
  'model': _TEXT,
  'init_from': _TEXT,
  'top': _one_of(*necks.NAMES),
  'feature_dim': _optional(_at_least(1)),
  'dtype': _one_of('float32', 'bfloat16'),
  'batch_size': _at_least(2),  # Batch statistics need two examples.
  'num_epochs': _at_least(1),
  'microbatches': _at_least(1),
  'clip_norm': _optional(_POSITIVE),
  'lr.backbone': _POSITIVE,
  'lr.transformation': _POSITIVE,
  'lr.classifier': _POSITIVE,
  'mesh.data': (
    lambda value: _is_integer(value) and (value == -1 or value >= 1),
    'must be -1 or an integer of at least 1',
  ),
  'mesh.model': _at_least(1),
  'momentum': _FRACTION,
  'weight_decay': _FRACTION,
  'eval_batch_size': _at_least(1),
  'eval_every': _at_least(1),
  'save_minutes': _POSITIVE,
  'keep_every': _at_least(0),
  'ks': (
    lambda value: len(value) > 0 and all(_at_least(1)[0](k) for k in value),
    'must be a list of positive integers',
  ),
  'eval.rules': _NAMES,
  'collapse.every': _at_least(0),
  'collapse.splits': (
    lambda value: set(value) <= {'train', 'val', 'test'},
    "must be a list of 'train', 'val' and 'test'",
  ),
  'collapse.layers': _NAMES,
  'log_seconds': _POSITIVE,
  'profile': _at_least(0),
  'synthetic.image_size': _at_least(4),
  'synthetic.channels': _one_of(3),
  'synthetic.train_per_class': _at_least(1),
  'synthetic.val_per_class': _at_least(1),
  'synthetic.test_per_class': _at_least(1),
  'synthetic.noise': _NOT_NEGATIVE,
  'synthetic.max_shift': _at_least(0),
  'synthetic.seed': _at_least(0),
  'folder.channels': _one_of(1, 3),
  'folder.val_share': _SHARE,
  'folder.val_seed': _at_least(0),
  'features.standardise': _one_of(True, False),
  'features.val_share': _SHARE,
  'features.val_seed': _at_least(0),
}

# Groups that one data set alone has.
_OWN_GROUPS = dict(
  synthetic='synthetic', folder='image_folder', features='features'
)
_GROUPS = (
  *('lr', 'eval', 'collapse', 'imbalance', 'input', 'mesh'),
  *_OWN_GROUPS,
)


# Models that take features and not images.
_FEATURES_MODELS = ('identity', 'mlp')


def _fields(config, prefix=''):
  for name, value in config.items():
    if name in _GROUPS:
      yield from _fields(value, f'{prefix}{name}.')
    else:
      yield prefix + name, value


def check_config(config, num_devices: int = 1):
  """Raises ConfigError, listing every problem, if a config cannot work.

  Args:
    config: the run's, with the fields of `configs/common.py`.
    num_devices: devices that share a batch.
  """
  problems = []
  fields = dict(_fields(config))
  method = fields.pop('method', None)
  for name, (accept, words) in FIELDS.items():
    owner = _OWN_GROUPS.get(name.split('.')[0])
    if owner is not None and owner != config.get('dataset'):
      continue
    if name not in fields:
      problems.append(f'{name} is missing')
    elif not accept(fields[name]):
      problems.append(f'{name} {words}, got {fields[name]!r}')
  unknown = sorted(fields.keys() - FIELDS.keys())
  problems += [f'{name} is not a field' for name in unknown]
  if method is None or 'name' not in method:
    problems.append('method.name is missing')
  else:
    problems += _problems(methods.check, **method)
  if isinstance(fields.get('model'), str):
    problems += _problems(models.build, fields['model'])
  model, of_features = fields.get('model'), fields.get('dataset') == 'features'
  if of_features and model not in _FEATURES_MODELS:
    problems.append(
      f'model must be one of {", ".join(map(repr, _FEATURES_MODELS))} for '
      f'features, got {model!r}'
    )
  if model == 'identity' and not of_features:
    problems.append("model 'identity' is for dataset 'features' alone")
  axes = {axis: fields.get(f'mesh.{axis}') for axis in ('data', 'model')}
  if all(FIELDS[f'mesh.{axis}'][0](size) for axis, size in axes.items()):
    problems += _problems(mesh.sizes, num_devices, **axes)
  for name in ('batch_size', 'eval_batch_size'):
    size = fields.get(name)
    if _is_integer(size) and size > 0 and size % num_devices:
      problems.append(
        f'{name} must be a multiple of the number of devices '
        f'({num_devices}), got {size}'
      )
  size, parts = fields.get('batch_size'), fields.get('microbatches')
  if _is_integer(size) and _is_integer(parts) and parts > 1:
    if size % (parts * num_devices) or size < 2 * parts:
      problems.append(
        f'batch_size must be a multiple of microbatches x devices ({parts} x '
        f'{num_devices}), of at least two examples each, got {size}'
      )
  eval_every = fields.get('eval_every')
  for name in ('collapse.every', 'keep_every'):
    every = fields.get(name)
    if _is_integer(every) and _is_integer(eval_every) and eval_every > 0:
      if every % eval_every:
        problems.append(
          f'{name} must be a multiple of eval_every ({eval_every}), got {every}'
        )
  if fields.get('imbalance.counts') and fields.get('imbalance.factor') != 1:
    problems.append(
      'imbalance.counts and imbalance.factor exclude each other: leave one as '
      'it is'
    )
  if problems:
    raise ConfigError(
      'The config cannot work: '
      + '; '.join(problem.rstrip('.') for problem in problems)
      + '.'
    )


def _problems(function, *args, **kwargs) -> list[str]:
  try:
    function(*args, **kwargs)
  except ValueError as error:
    return [str(error)]
  return []


def collect_errors(*checks: Callable) -> list:
  """What functions without arguments return, if none of them objects.

  Raises:
    ValueError: the one that was raised; ConfigError with the words of all, if
      it was several.
  """
  found, errors = [], []
  for check_one in checks:
    try:
      found.append(check_one())
    except ValueError as error:
      errors.append(error)
  if len(errors) == 1:
    raise errors[0]
  if errors:
    raise ConfigError(' '.join(map(str, errors)))
  return found
