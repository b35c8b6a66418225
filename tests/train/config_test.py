# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""All configs and methods: what is in the tables works, and errors help."""

import importlib
import pathlib

import jax
import jax.numpy as jnp
from ml_collections import config_dict
import numpy as np
import pytest

from configs import common
from hafjax import frames
from hafjax import methods
from hafjax.data import Arrays
from hafjax.data import DataSet
from hafjax.data import load_dataset
from hafjax.data import spec
from hafjax.hierarchy import load_hierarchy
from hafjax.train import config_reference
from hafjax.train import step as step_lib
from hafjax.train.config import ConfigError
from hafjax.train.config import check_config
from hafjax.train.run import train_and_evaluate
from hafjax.train.setup import Setup
from hafjax.train.state import initial_state
from tests import helpers

COMPARED = [n for n, v in methods.variants().items() if v.is_compared]
FOLDER = pathlib.Path(common.__file__).parent
CONFIGS = sorted(f.stem for f in FOLDER.glob('*.py') if f.stem != '__init__')


@pytest.mark.parametrize('variant', COMPARED)
@pytest.mark.parametrize('name', CONFIGS)
def test_every_config_and_variant_passes_its_checks(name, variant):
  config = importlib.import_module(f'configs.{name}').get_config(variant)
  if name == 'common':
    config.synthetic = helpers.tiny_config().synthetic
  check_config(config)
  assert config.variant == variant


@pytest.mark.parametrize('variant', methods.variants())
def test_a_config_is_nobody_elses(variant):
  """What is set in one does not show in those that are made after it."""
  config = common.get_config(variant)
  wanted = config.to_dict()

  def change(fields):
    for key, value in fields.items():
      if isinstance(value, config_dict.ConfigDict):
        change(value)
      else:
        new = {int: 17, float: 0.17, bool: True, str: 'other', tuple: (17,)}
        fields[key] = new[fields.get_type(key)]

  change(config)
  assert config.to_dict() != wanted
  assert common.get_config(variant).to_dict() == wanted


@pytest.mark.parametrize('name', CONFIGS)
def test_every_config_trains_a_step(name):
  """As it stands but for the data: two random images of each class."""
  config = importlib.import_module(f'configs.{name}').get_config('haframe')
  own = spec(config.dataset)
  hierarchy = load_hierarchy(own.hierarchy or 'quickstart')
  size = config.image_size or dict(
    cifar10=32, cifar100=32, fashion_mnist=28
  ).get(config.dataset, 24)
  count = 2 * hierarchy.num_classes
  rng = np.random.default_rng(0)
  if config.dataset == 'features':
    shape, mean, std = (40,), np.zeros(40), np.ones(40)
    examples = rng.normal(size=(count, *shape)).astype(np.float32)
  else:
    shape, mean, std = (size, size, len(own.mean)), own.mean, own.std
    examples = rng.integers(0, 256, (count, *shape), np.uint8)
  arrays = Arrays(examples, np.arange(count, dtype=np.int32) // 2)
  data = DataSet(
    hierarchy=hierarchy,
    distances=hierarchy.distances(),
    kind='lca_height',
    splits=dict(train=arrays),
    image_shape=shape,
    mean=mean,
    std=std,
    crop_padding=own.crop_padding,
    flip=own.flip,
  )
  setup = Setup.create(config, data)
  state, sums = jax.eval_shape(
    lambda: step_lib.train_step(
      initial_state(setup),
      arrays.images[:8],
      jnp.asarray(arrays.labels[:8]),
      setup,
    )
  )
  assert sums['loss'].shape == ()
  assert 'classifier' not in state.params


def test_every_method_has_a_variant():
  used = {variant.method for variant in methods.variants().values()}
  assert used == set(methods.names())


@pytest.mark.parametrize(
  'variant, dtype',
  [*((name, 'float32') for name in COMPARED), ('haframe', 'bfloat16')],
)
def test_every_variant_lowers_its_loss(variant, dtype):
  config = helpers.tiny_config(variant, dtype=dtype)
  # Rates at which every loss, whatever its scale, falls at every step.
  config.lr = common.get_config().lr
  data = load_dataset(config)
  setup = Setup.create(config, data)
  state = initial_state(setup)
  arrays = data.splits['train'].take(np.arange(0, 240, 8))
  step = jax.jit(lambda s, x, y: step_lib.train_step(s, x, y, setup))
  losses = []
  for _ in range(8):
    state, sums = step(state, arrays.images, jnp.asarray(arrays.labels))
    losses.append(float(sums['loss'] / sums['count']))
  assert losses[-1] < losses[0]
  for leaf in jax.tree.leaves(state):
    assert np.isfinite(leaf).all()


@pytest.mark.parametrize(
  'change, message',
  [
    ({'batch_size': 0}, 'batch_size must be an integer of at least 2, got 0'),
    ({'batch_size': 20}, 'batch_size must be a multiple of .* devices'),
    ({'num_epochs': -1}, 'num_epochs must be'),
    ({'seed': -1}, 'seed must be'),
    ({'model': 'resnet'}, "no model 'resnet'"),
    ({'model': 'wrn_11_1'}, 'depth 10, 16'),
    ({'model': 'identity'}, "'identity' is for dataset 'features' alone"),
    ({'dataset': 'mnist'}, "dataset must be one of 'cifar10'"),
    ({'top': 'roof'}, 'top must be one of'),
    ({'dtype': 'int8'}, 'dtype must be one of'),
    ({'lr.backbone': -0.1}, 'lr.backbone must be a positive number'),
    ({'weight_decay': float('nan')}, 'weight_decay must be'),
    ({'ks': (0,)}, 'ks must be'),
    ({'method.name': 'magic'}, "no method 'magic'; there are .*cross_entropy"),
    ({'method.name': 'etf'}, "'etf' has no .*'gamma'"),
    ({'synthetic.noise': -1.0}, 'synthetic.noise must be'),
    ({'imbalance.factor': 0.5}, 'imbalance.factor must be a number of at'),
    ({'imbalance.counts': (3, 0)}, 'imbalance.counts must be a list of pos'),
    (
      {'imbalance.counts': (3, 2), 'imbalance.factor': 2.0},
      'imbalance.counts and imbalance.factor exclude each other',
    ),
  ],
)
def test_bad_configs_are_told(change, message):
  config = helpers.tiny_config(**change)
  with pytest.raises(ConfigError, match=message):
    check_config(config, num_devices=16)


def test_all_problems_at_once():
  config = helpers.tiny_config(seed=-1, model='x')
  with config.unlocked():
    config.speed = 3
    del config.momentum
  with pytest.raises(ConfigError) as caught:
    check_config(config)
  for words in ('seed must', "no model 'x'", 'speed is not a', 'momentum is m'):
    assert words in str(caught.value)
  assert '\n' not in str(caught.value)


def test_unknown_variants_are_told():
  with pytest.raises(ValueError, match="no variant 'x'; there are .*haframe, "):
    common.get_config('x')


@pytest.mark.parametrize(
  'variant, change, dim',
  [
    ('haframe', {'top': 'linear'}, 30),
    # Pooled features of an MLP of width 256.
    ('etf', {'top': 'pool'}, 256),
    ('haframe', {'method.frame': 'tree'}, None),
    ('haframe', {'method.frame': 'tree', 'top': 'linear'}, None),
    ('haframe', {'feature_dim': 12}, 12),
    ('nearest_etf', {'feature_dim': 12}, 12),
    ('cross_entropy', {'feature_dim': 7}, 7),
  ],
)
def test_tops_and_widths(variant, change, dim, caplog):
  config = helpers.tiny_config(variant, **change)
  check_config(config)
  data = load_dataset(config)
  setup = Setup.create(config, data)
  narrow = variant != 'cross_entropy' and dim == 12
  assert ('no room for the exact frame' in caplog.text) == narrow
  state = initial_state(setup)
  arrays = data.splits['train'].take(np.arange(30))
  state, sums = jax.jit(lambda s, x, y: step_lib.train_step(s, x, y, setup))(
    state, arrays.images, jnp.asarray(arrays.labels)
  )
  assert np.isfinite(float(sums['loss']))
  outputs = setup.network.apply(
    {'params': state.params, **state.variables},
    jnp.zeros((2, *data.image_shape)),
    train=False,
  )
  dim = dim or data.hierarchy.num_nodes
  assert outputs.features.shape == (2, dim)
  assert outputs.logits.shape == (2, 30)


@pytest.mark.parametrize(
  'change, message',
  [
    ({'frame': 'tree', 'separation': 'grid'}, "go with separation='grid'"),
    ({'frame': 'round'}, "frame must be 'auto', 'dense' or 'tree'"),
    ({'frame': 'tree', 'rotation': {'every': 5}}, 'go with a rotation'),
    ({'rotation': {'evry': 5}}, "no 'evry'"),
  ],
)
def test_frames_that_do_not_go_together(change, message):
  config = helpers.tiny_config()
  with config.unlocked():
    config.method.update(change)
  with pytest.raises(methods.MethodError, match=message):
    Setup.create(config, load_dataset(config))


def test_a_tree_frame_needs_its_width():
  config = helpers.tiny_config(**{'method.frame': 'tree', 'feature_dim': 30})
  with pytest.raises(methods.MethodError, match='needs features of'):
    Setup.create(config, load_dataset(config))


@pytest.mark.parametrize(
  'change, error, message',
  [
    ({'method.gamma': -2.0}, frames.FrameError, 'gamma must be .* got -2.0'),
    ({'hierarchy': 'nowhere'}, ConfigError, 'nowhere'),
    # An MLP of width 256 has room for the frame; a narrow one has not.
    ({'top': 'pool', 'model': 'convnet'}, None, ''),
  ],
)
def test_frames_are_checked_before_training(change, error, message, tmp_path):
  config = helpers.tiny_config(**change)
  if error is None:
    data = load_dataset(config)
    head = Setup.create(config, data).method.head
    assert head.frame.shape == (30, 128)
    return
  with pytest.raises(error, match=message):
    train_and_evaluate(config, tmp_path)
  assert not list(tmp_path.iterdir()), 'a bad run left files'


def test_what_a_config_cannot_know_is_told_at_once_too(tmp_path):
  config = helpers.tiny_config(
    **{
      'eval.rules': ('crmx',),
      'init_from': str(tmp_path / 'weights.npz'),
      'collapse.layers': ('nose',),
    }
  )
  with pytest.raises(ConfigError) as caught:
    train_and_evaluate(config, tmp_path / 'run')
  for words in ("'crmx'", 'weights.npz', "'nose'"):
    assert words in str(caught.value)
  assert not (tmp_path / 'run').exists()


def test_the_reference_page_is_that_of_the_schema():
  file = FOLDER.parent / 'docs' / 'config.md'
  assert file.read_text() == config_reference.reference_page()
