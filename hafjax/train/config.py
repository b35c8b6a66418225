# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The config's schema: every field once, with default, check and meaning.

From it come the `ConfigDict` of a run, the checks before any work starts, what
makes two runs the same run, values for fields that older runs do not have, and
the reference page (`python -m hafjax.train.config_reference`). Fields of one
data set alone are declared in its file (`hafjax/data/sets`), parameters of a
method in its (`hafjax/methods`).
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hafjax import data
from hafjax import hierarchy
from hafjax import methods
from hafjax import metrics
from hafjax import models
from hafjax.errors import UserError
from hafjax.models import necks
from hafjax.numerics.numbers import is_int
from hafjax.plugins import fields as f
from hafjax.plugins.fields import Field
from hafjax.runtime import mesh


class ConfigError(UserError):
  """A config that cannot work; the message lists every problem."""


# Names of fields, or of groups of fields, to their declarations.
FIELDS: dict[str, Field | dict] = dict(
  variant=Field(
    'haframe',
    f.TEXT,
    'The name after the colon in `--config=FILE:VARIANT`: a method with some '
    'settings.',
  ),
  mode=Field(
    'train',
    f.one_of('train', 'eval'),
    "'train' trains, continues, or reports a run that is done; 'eval' measures "
    'the best checkpoint of a run, as `python -m hafjax.evaluate` does.',
    binds=False,
  ),
  seed=Field(
    0,
    f.at_least(0),
    'Fixes initial weights, order of examples, augmentation, and the rotation '
    'of a frame.',
  ),
  # --- data
  dataset=Field(
    'synthetic',
    f.check(
      lambda name: name in data.names() or '.' in name,
      f'one of {", ".join(map(repr, data.names()))}, or a module of your own',
    ),
    'Data set: a module of `hafjax/data/sets`, or one of your own by its '
    'dotted name.',
  ),
  data_dir=Field(
    '',
    f.TEXT,
    "Folder of the data; '' for the data set's default.",
    binds=False,
  ),
  hierarchy=Field(
    '',
    f.file_or(*hierarchy.builtin_names()),
    "Class hierarchy: a built-in name or a file; '' for the data set's own. "
    'The class paths are part of the run, the file may move.',
    binds=False,
  ),
  level=Field(
    None,
    f.optional(f.at_least(1)),
    'Depth in the hierarchy whose nodes are the classes; None for the leaves.',
    value_type=int,
  ),
  distance=Field(
    '',
    f.file_or(*hierarchy.KINDS),
    "Distances between classes: 'lca_height' or 'lca_depth' of the hierarchy, "
    "or a file of your own (`frames.load_distances`); '' for what published "
    'results on the data set use.',
  ),
  image_size=Field(
    None,
    f.optional(f.at_least(1)),
    'Height and width in pixels. Images in files are stretched to it (None: '
    '224), those of data sets in memory are zero-padded (None: their own).',
    value_type=int,
  ),
  crop_padding=Field(
    None,
    f.optional(f.at_least(0)),
    "Pixels of border that random crops move in; None for the data set's own.",
    value_type=int,
  ),
  flip=Field(
    None,
    f.optional(f.BOOL),
    'Whether half of the training images are mirrored; None for the data '
    "set's own.",
    value_type=bool,
  ),
  imbalance=dict(
    counts=Field(
      (),
      f.list_of(f.at_least(1), 'positive integers', empty=True),
      'Training examples of each class, the first ones, in the order of '
      'classes; () for all.',
    ),
    factor=Field(
      1.0,
      f.check(
        lambda value: f.NOT_NEGATIVE.accepts(value) and value >= 1,
        'a number of at least 1',
      ),
      'Long tail: by what factor the last class has fewer training examples '
      'than the first.',
    ),
  ),
  random_crop=Field(
    None,
    f.optional(f.one_of('', 'resized', 'stretched')),
    "Random resized crops of training images in files: 'resized', 'stretched' "
    "(of the image stretched to a square first), '' for none; None for the "
    "data set's own.",
    value_type=str,
  ),
  mean=Field(
    None,
    f.optional(f.list_of(f.NUMBER, 'numbers')),
    "Mean of pixels in [0, 1], per channel; None for the data set's own.",
    value_type=tuple,
  ),
  std=Field(
    None,
    f.optional(f.list_of(f.POSITIVE, 'positive numbers')),
    'Standard deviation of pixels in [0, 1], per channel; None for the data '
    "set's own.",
    value_type=tuple,
  ),
  input=dict(
    workers=Field(
      0,
      f.at_least(0),
      'Processes that decode images in files; 0 for a thread per CPU core.',
      binds=False,
    ),
    memory_gib=Field(
      4.0,
      f.NOT_NEGATIVE,
      'Up to how many GiB, decoded, images in files are kept in a file from '
      'the first run on.',
      binds=False,
    ),
    cache_dir=Field(
      '',
      f.TEXT,
      "Folder of decoded images; '' for `~/.cache/hafjax`.",
      binds=False,
    ),
  ),
  # --- network
  model=Field('convnet', f.TEXT, 'Backbone, a name for `hafjax.models.build`.'),
  init_from=Field(
    '',
    f.TEXT,
    "File of the backbone's initial weights and statistics, see "
    "`hafjax/models/pretrained`; '' to draw them by the seed. The file may "
    'move: its hash is part of the run.',
    binds=False,
  ),
  feature_dim=Field(
    None,
    f.optional(f.at_least(1)),
    'Width of the features; None for what the method asks for, the number of '
    'classes as a rule.',
    value_type=int,
  ),
  top=Field(
    'transform',
    f.one_of(*necks.NAMES),
    "Neck between backbone and head: 'pool' (the HAFrame paper's type I), "
    "'linear', or 'transform' (its type II).",
  ),
  # Stands for the method's name and parameters, see `methods.defaults`.
  method={},
  dtype=Field(
    'float32',
    f.one_of('float32', 'bfloat16'),
    'Data type of the computations in the network.',
  ),
  # --- optimization
  batch_size=Field(
    64,
    f.at_least(2),  # Batch statistics need two examples.
    'Examples in a training step.',
  ),
  num_epochs=Field(10, f.at_least(1), 'Passes over the training split.'),
  microbatches=Field(
    1,
    f.at_least(1),
    'Parts of a batch that are computed one after another, to save memory; the '
    "gradient is that of the whole batch, BatchNorm's statistics are each "
    "part's.",
  ),
  mesh=dict(
    data=Field(
      -1,
      f.check(
        lambda value: is_int(value) and (value == -1 or value >= 1),
        '-1 or an integer of at least 1',
      ),
      'Devices that batches are sharded over; -1 for all that are left. No '
      'mesh changes the training curve.',
      binds=False,
    ),
    model=Field(
      1,
      f.at_least(1),
      'Devices that classes are sharded over: the classifier or frame, the '
      'layers before it, and the logits.',
      binds=False,
    ),
  ),
  clip_norm=Field(
    None,
    f.optional(f.POSITIVE),
    'Global norm that gradients are clipped to; None for no clipping.',
    value_type=float,
  ),
  lr=dict(
    backbone=Field(
      0.01, f.POSITIVE, 'Peak learning rate of the backbone; cosine decay to 0.'
    ),
    transformation=Field(0.01, f.POSITIVE, 'Likewise of the neck.'),
    classifier=Field(0.1, f.POSITIVE, 'Likewise of the head.'),
  ),
  momentum=Field(0.9, f.FRACTION, 'Momentum of SGD.'),
  weight_decay=Field(
    5e-4, f.FRACTION, 'Weight decay of all parameters, added to the gradient.'
  ),
  # --- evaluation, checkpoints, logs
  eval_batch_size=Field(
    500, f.at_least(1), 'Examples in an evaluation step.', binds=False
  ),
  eval_every=Field(
    1,
    f.at_least(1),
    'Epochs between evaluations; each saves a checkpoint.',
    binds=False,
  ),
  save_minutes=Field(
    10.0,
    f.POSITIVE,
    'Minutes between checkpoints within epochs: what a kill loses at most.',
    binds=False,
  ),
  keep_every=Field(
    0,
    f.at_least(0),
    'Epochs between checkpoints that are kept, a multiple of `eval_every`; 0 '
    'keeps the latest two and the best.',
    binds=False,
  ),
  ks=Field(
    metrics.KS,
    f.list_of(f.at_least(1), 'positive integers'),
    'Ranks k of top-k accuracy, hierarchical distance@k, and the like.',
    binds=False,
  ),
  collapse=dict(
    every=Field(
      0,
      f.at_least(0),
      'Epochs between measures of neural collapse, a multiple of '
      '`eval_every`; 0 for none.',
      binds=False,
    ),
    splits=Field(
      ('train',),
      f.check(
        lambda value: set(value) <= {'train', 'val', 'test'},
        "a list of 'train', 'val' and 'test'",
      ),
      'Splits that neural collapse is measured on.',
      binds=False,
    ),
    layers=Field(
      ('features',),
      f.NAMES,
      "Layers that neural collapse is measured at: 'features' (the head's "
      "input), or the backbone's, such as 'level1'.",
      binds=False,
    ),
  ),
  eval=dict(
    every_epoch=Field(
      ('loss', 'ranking', 'alignment'),
      f.list_of(f.one_of(*metrics.NAMES), 'names of metrics'),
      'Metrics of the validation split after each epoch: modules of '
      "`hafjax/metrics`; 'ranking' has top-k accuracy, severity and "
      'distances.',
      binds=False,
    ),
    final=Field(
      metrics.NAMES,
      f.list_of(f.one_of(*metrics.NAMES), 'names of metrics'),
      'Metrics of the best checkpoint on validation and test split.',
      binds=False,
    ),
    rules=Field(
      (),
      f.NAMES,
      "Inference rules reported beside the method's own predictions: 'crm', "
      "'hie', 'hie:LEVEL', 'hie:WORKDIR' (of a run with `level`), 'selective'; "
      'see `hafjax/train/rules`.',
      binds=False,
    ),
  ),
  profile=Field(
    0,
    f.at_least(0),
    "Steps that JAX's profiler records, from the tenth on, for TensorBoard.",
    binds=False,
  ),
  log_seconds=Field(
    10.0, f.POSITIVE, 'Seconds between progress lines.', binds=False
  ),
)

# Fields that a run that is done was measured by.
_MEASURED_BY = ('ks', 'eval_every', 'collapse')


# --- The schema of one config -------------------------------------------------


def schema(dataset: str) -> dict[str, Field | dict]:
  """All fields of a run on a data set: `FIELDS` and the data set's own group.

  Args:
    dataset: its name; an unknown one has no fields of its own.
  """
  try:
    spec = data.spec(dataset)
  except UserError:
    return FIELDS
  return FIELDS | ({spec.group: spec.fields} if spec.group else {})


def flat_fields(
  fields: Mapping[str, Field | dict], prefix: str = ''
) -> Iterator[tuple[str, Field]]:
  """Yields (dotted name, field), the method's parameters left out."""
  for name, field in fields.items():
    if isinstance(field, Field):
      yield prefix + name, field
    else:
      yield from flat_fields(field, f'{prefix}{name}.')


def create(dataset: str = 'synthetic', **values: Any):
  """The `ConfigDict` of a run, with the defaults of all fields.

  Args:
    dataset: its name; its own fields become a group.
    **values: of fields, in the place of their defaults; a dict for a group.
      `method` holds the method's name, and parameters other than its defaults.

  Raises:
    ConfigError: if there is no such field.
  """
  from ml_collections import config_dict

  def default(field):
    if isinstance(field, Mapping):
      return {name: default(inner) for name, inner in field.items()}
    if field.default is None:
      return config_dict.placeholder(field.value_type)
    return field.default

  def settable(value):
    """None as a number that is not set, for the command line."""
    if isinstance(value, Mapping):
      return {name: settable(inner) for name, inner in value.items()}
    return config_dict.placeholder(int) if value is None else value

  method = dict(values.pop('method', {'name': 'haframe'}))
  parameters = methods.defaults(method['name'])
  config = config_dict.create(
    **default(schema(dataset))
    | dict(
      dataset=dataset,
      method=settable(parameters | method),
    )
  )
  unknown = sorted(values.keys() - config.keys())
  if unknown:
    raise ConfigError(f'There is no field {unknown[0]!r} in a config.')
  config.update(values)
  return config


def completed(config: Mapping) -> dict:
  """A recorded config with the fields that did not exist when it was recorded.

  They have the value that stands for what was done then.
  """

  def complete(fields, values):
    values = dict(values)
    for name, field in fields.items():
      if isinstance(field, Mapping):
        inner = values.get(name, {})
        if isinstance(inner, Mapping):
          values[name] = complete(field, inner)
      elif name not in values:
        values[name] = _as_json(field.value_before)
    return values

  config = complete(schema(str(config.get('dataset', ''))), config)
  method = config['method']
  if isinstance(method, Mapping) and method.get('name') in methods.names():
    defaults = methods.defaults(method['name'])
    config['method'] = {k: _as_json(v) for k, v in defaults.items()} | dict(
      method
    )
  return config


def _as_json(value):
  return list(value) if isinstance(value, tuple) else value


def identity(config: Mapping) -> dict:
  """The part of a recorded config that makes it this run and no other."""
  config = completed(config)
  free = {
    name
    for name, field in flat_fields(schema(config['dataset']))
    if not field.binds
  }

  def bound(values, prefix=''):
    result = {}
    for name, value in values.items():
      if prefix + name in free:
        continue
      if isinstance(value, Mapping):
        value = bound(value, f'{prefix}{name}.')
      result[name] = value
    return result

  return bound(config)


def measured_differently(recorded: Mapping, config: Mapping) -> list[str]:
  """Fields that results depend on and that differ from the recorded ones.

  Args:
    recorded: config in a run's record.
    config: the present one, as JSON values.
  """
  recorded, config = completed(recorded), completed(config)
  return [name for name in _MEASURED_BY if recorded[name] != config[name]]


# --- Checks -------------------------------------------------------------------


def check_config(config, num_devices: int = 1):
  """Raises ConfigError, listing every problem, if a config cannot work.

  Args:
    config: the run's.
    num_devices: devices that share a batch.
  """
  fields = dict(flat_fields(schema(config.get('dataset', ''))))
  groups = {name.partition('.')[0] for name in fields if '.' in name}
  values = dict(_flat(config, groups))
  method = values.pop('method', None)
  problems = []
  for name, field in fields.items():
    if name not in values:
      problems.append(f'{name} is missing')
    elif not field.check.accepts(values[name]):
      problems.append(
        f'{name} must be {field.check.words}, got {values[name]!r}'
      )
  # A group of another data set's is left unread.
  others = {data.spec(name).group for name in data.names()} - groups
  problems += [
    f'{name} is not a field'
    for name in sorted(values.keys() - fields.keys())
    if name.partition('.')[0] not in others
  ]
  for check in _CHECKS:
    problems += check(values, method, num_devices)
  if problems:
    raise ConfigError(
      'The config cannot work: '
      + '; '.join(problem.rstrip('.') for problem in problems)
      + '.'
    )


def _flat(config, groups, prefix=''):
  for name, value in config.items():
    if not prefix and name in groups and hasattr(value, 'items'):
      yield from _flat(value, groups, f'{name}.')
    else:
      yield prefix + name, value


def _messages(function: Callable, *args, **kwargs) -> list[str]:
  try:
    function(*args, **kwargs)
  except ValueError as error:
    return [str(error)]
  return []


def _check_method(values, method, num_devices) -> list[str]:
  del values, num_devices
  if method is None or 'name' not in method:
    return ['method.name is missing']
  return _messages(methods.check, **method)


def _check_model(values, method, num_devices) -> list[str]:
  """The backbone exists, and takes what the data set has."""
  del method, num_devices
  model = values.get('model')
  if not isinstance(model, str):
    return []
  problems = _messages(models.build, model)
  if problems:
    return problems
  has_features = values.get('dataset') == 'features'
  if has_features and not models.takes_features(model):
    return [
      f'model must be one that takes features for dataset {"features"!r}, '
      f"such as 'identity' or 'mlp', got {model!r}"
    ]
  if model == 'identity' and not has_features:
    return ["model 'identity' is for dataset 'features' alone"]
  return []


def _check_mesh(values, method, num_devices) -> list[str]:
  del method
  axes = {axis: values.get(f'mesh.{axis}') for axis in ('data', 'model')}
  group = FIELDS['mesh']
  if all(group[axis].check.accepts(size) for axis, size in axes.items()):
    return _messages(mesh.sizes, num_devices, **axes)
  return []


def _check_batches(values, method, num_devices) -> list[str]:
  """Batches divide evenly over devices and microbatches."""
  del method
  problems = []
  for name in ('batch_size', 'eval_batch_size'):
    size = values.get(name)
    if is_int(size) and size > 0 and size % num_devices:
      problems.append(
        f'{name} must be a multiple of the number of devices '
        f'({num_devices}), got {size}'
      )
  size, parts = values.get('batch_size'), values.get('microbatches')
  if is_int(size) and is_int(parts) and parts > 1:
    if size % (parts * num_devices) or size < 2 * parts:
      problems.append(
        f'batch_size must be a multiple of microbatches x devices ({parts} x '
        f'{num_devices}), of at least two examples each, got {size}'
      )
  return problems


def _check_epochs(values, method, num_devices) -> list[str]:
  """What happens after an evaluation happens every so many evaluations."""
  del method, num_devices
  eval_every, problems = values.get('eval_every'), []
  for name in ('collapse.every', 'keep_every'):
    every = values.get(name)
    if is_int(every) and is_int(eval_every) and eval_every > 0:
      if every % eval_every:
        problems.append(
          f'{name} must be a multiple of eval_every ({eval_every}), got {every}'
        )
  return problems


def _check_imbalance(values, method, num_devices) -> list[str]:
  del method, num_devices
  if values.get('imbalance.counts') and values.get('imbalance.factor') != 1:
    return [
      'imbalance.counts and imbalance.factor exclude each other: leave one as '
      'it is'
    ]
  return []


# Of several fields together.
_CHECKS = (
  _check_method,
  _check_model,
  _check_mesh,
  _check_batches,
  _check_epochs,
  _check_imbalance,
)


def collect_errors(*checks: Callable) -> list:
  """What functions without arguments return, if none of them objects.

  Raises:
    ValueError: the one that was raised; ConfigError with the words of all, if
      it was several.
  """
  results, errors = [], []
  for check in checks:
    try:
      results.append(check())
    except ValueError as error:
      errors.append(error)
  if len(errors) == 1:
    raise errors[0]
  if errors:
    raise ConfigError(' '.join(map(str, errors)))
  return results
