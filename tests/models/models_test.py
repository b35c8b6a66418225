# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hafjax import frames
from hafjax import models
from hafjax.models import heads
from hafjax.models import necks
from hafjax.models import network as network_lib
from hafjax.models import vit
from hafjax.models.conv import conv


def shapes(module, image_shape, **kwargs):
  """Variables and outputs as shapes; nothing is computed."""
  images = jnp.zeros((2, *image_shape))
  outputs, variables = jax.eval_shape(
    lambda: module.init_with_output(
      jax.random.key(0), images, train=False, **kwargs
    )
  )
  return variables, outputs


def count(tree):
  return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(tree))


def wide_resnet_parameters(depth, width):
  """Counted from the paper's description, not from our code."""
  norm = 2
  total, channels = 3 * 9 * 16, 16
  for group in (16 * width, 32 * width, 64 * width):
    for _ in range((depth - 4) // 6):
      total += norm * channels + 9 * channels * group
      total += norm * group + 9 * group * group
      if channels != group:
        total += channels * group
      channels = group
  return total + norm * channels


@pytest.mark.parametrize(
  'name, expected',
  [
    # 23.4 million with a classifier, as in the WideResNet paper.
    ('wrn_28_8', 23_349_712),
    ('wrn_16_2', 690_384),
    ('wrn_10_1', 77_200),
  ],
)
def test_wide_resnets(name, expected):
  variables, (feature_map, out) = shapes(models.build(name), (32, 32, 3))
  depth, width = map(int, name.split('_')[1:])
  assert count(variables['params']) == wide_resnet_parameters(depth, width)
  assert count(variables['params']) == expected
  assert feature_map.shape == (2, 8, 8, 64 * width)
  assert out['group1'].shape == (2, 32, 32, 16 * width)


@pytest.mark.parametrize(
  'name, published, classifier, left_out',
  [
    ('resnet_18', 11_689_512, 513_000, 0),
    ('resnet_34', 21_797_672, 513_000, 0),
    ('resnet_50', 25_557_032, 2_049_000, 0),
    # Without the biases of its 4,224 convolutional channels.
    ('vgg_16', 138_365_992, 123_642_856, 4_224),
    ('vit_s_16', 22_050_664, 385_000, 0),
    ('vit_b_16', 86_567_656, 769_000, 0),
  ],
)
def test_backbones_are_as_large_as_published(
  name, published, classifier, left_out
):
  variables, _ = shapes(models.build(name), (224, 224, 3))
  assert count(variables['params']) == published - classifier - left_out


@pytest.mark.parametrize(
  'name, sizes, channels',
  [
    ('resnet_18', {28: 1, 32: 1, 224: 7, 225: 8}, 512),
    ('resnet_50', {28: 1, 32: 1, 224: 7}, 2048),
    ('resnet_18_small', {8: 1, 28: 4, 32: 4}, 512),
    ('resnet_50_small', {28: 4, 32: 4}, 2048),
    ('vgg_16', {8: 1, 28: 1, 32: 1, 33: 2, 224: 7}, 512),
  ],
)
def test_shapes_at_image_sizes(name, sizes, channels):
  for size, expected in sizes.items():
    for image_channels in (1, 3):
      _, (feature_map, out) = shapes(
        models.build(name), (size, size, image_channels)
      )
      assert feature_map.shape == (2, expected, expected, channels)
      stages = [name for name in out if name.startswith('stage')]
      assert stages == [f'stage{i + 1}' for i in range(len(stages))]
      assert out[stages[-1]].shape == feature_map.shape


@pytest.mark.parametrize(
  'name, size, tokens, width',
  [
    ('vit_s_16', 224, 197, 384),
    ('vit_s_4', 28, 50, 384),
    ('vit_b_8', 32, 17, 768),
    ('vit_ti_16', 32, 5, 192),
  ],
)
def test_tokens_at_image_sizes(name, size, tokens, width):
  _, (feature_map, out) = shapes(models.build(name), (size, size, 3))
  assert feature_map.shape == (2, 1, 1, width)
  assert set(out) == {'embedding', *(f'block{i}' for i in range(1, 13))}
  assert {x.shape for x in out.values()} == {(2, tokens, width)}


def test_images_of_broken_patches_are_told():
  with pytest.raises(vit.ViTError, match='28 x 28 pixels .* of 16 x 16: give'):
    shapes(models.build('vit_s_16'), (28, 28, 3))


def test_a_transformer_sees_where_a_patch_is():
  module = vit.ViT(2, width=8, depth=1, num_heads=2)
  images = jax.random.normal(jax.random.key(0), (1, 4, 4, 1))
  variables = jax.jit(lambda: module.init(jax.random.key(1), images, False))()
  images = jnp.concatenate([images, jnp.roll(images, 2, axis=1)])
  features = jax.jit(lambda v: module.apply(v, images, train=False)[0][:, 0, 0])
  here, moved = features(variables)
  assert not np.allclose(here, moved, atol=1e-5)
  # Attention treats tokens alike: without positions they are a set.
  variables['params']['positions'] *= 0
  here, moved = features(variables)
  np.testing.assert_allclose(here, moved, atol=1e-6)


@pytest.mark.parametrize('top', necks.NAMES)
@pytest.mark.parametrize('name', ['resnet_18_small', 'vgg_16', 'vit_ti_7'])
def test_every_backbone_goes_with_every_top(name, top):
  backbone = models.build(name)
  _, (feature_map, _) = shapes(backbone, (28, 28, 1))
  dim = necks.width(top, 7, feature_map.shape[-1])
  module = necks.build(top, dim)
  network = network_lib.Network(backbone, module, heads.Linear(5))
  _, outputs = shapes(network, (28, 28, 1))
  assert outputs.features.shape == (2, dim)
  assert outputs.logits.shape == (2, 5)


@pytest.mark.parametrize(
  'name, message',
  [
    ('wrn_12_1', 'depth 10, 16, 22'),
    ('wrn_10_0', 'width of at least 1'),
    (
      'resnet',
      "no model 'resnet'; there are convnet, identity, mlp, resnet_18, ",
    ),
    ('vit_x_16', 'vit_SIZE_PATCH .* sizes are ti, s, b, l'),
    ('vit_s_0', "no model 'vit_s_0'"),
    ('wrn', r'and wrn_DEPTH_WIDTH \(for example wrn_28_8\)\.'),
  ],
)
def test_models_that_do_not_exist(name, message):
  with pytest.raises(ValueError, match=message):
    models.build(name)


def test_a_block_activates_before_a_shortcut_that_changes_shape():
  module = models.build('wrn_10_1')
  images = jnp.ones((2, 8, 8, 3))
  variables = module.init(jax.random.key(0), images, train=False)
  blocks = variables['params']
  # The first group keeps 16 channels: its shortcut is the identity.
  assert 'shortcut' not in blocks['group1_block1']
  assert blocks['group2_block1']['shortcut']['kernel'].shape == (1, 1, 16, 32)
  # With its two convolutions zeroed, a block is its shortcut: of the activated
  # input where the shape changes, of the input itself elsewhere.
  for name in ('group1_block1', 'group2_block1'):
    blocks[name]['conv2']['kernel'] *= 0
  _, out = module.apply(variables, images, train=False)
  np.testing.assert_array_equal(out['group1'], out['stem'])
  activated = jnp.where(out['stem'] > 0, 1.0, 0.1) * out['stem']
  activated /= np.sqrt(1 + 1e-5)  # BatchNorm at its initial statistics.
  shortcut = blocks['group2_block1']['shortcut']
  expected = conv(32, 1, 2).apply({'params': shortcut}, activated)
  np.testing.assert_allclose(out['group2'], expected, rtol=1e-5, atol=1e-6)


def test_convolutions_start_he_normal_by_fan_out():
  variables = models.build('wrn_10_1').init(
    jax.random.key(0), jnp.zeros((1, 8, 8, 3)), train=False
  )
  kernel = np.asarray(variables['params']['group3_block1']['conv1']['kernel'])
  assert kernel.shape == (3, 3, 32, 64)
  assert kernel.std() == pytest.approx(np.sqrt(2 / (9 * 64)), rel=0.03)
  # Normal, not truncated: a truncated one ends at 2.3 of these deviations.
  assert np.abs(kernel).max() > 3 * kernel.std()


def build_network(name='mlp', top=None, head=None, **options):
  top = necks.TransformNeck(5) if top is None else top
  head = heads.Linear(5) if head is None else head
  return network_lib.Network(models.build(name, **options), top, head)


def test_parameters_are_grouped_by_part():
  variables, outputs = shapes(build_network(), (8, 8, 1))
  assert set(variables['params']) == {
    'backbone',
    'transformation',
    'classifier',
  }
  assert outputs.features.shape == outputs.logits.shape == (2, 5)
  variables, _ = shapes(build_network(top=necks.PoolNeck()), (8, 8, 1))
  assert set(variables['params']) == {'backbone', 'classifier'}


def test_the_transformation_is_the_papers():
  variables, _ = shapes(build_network('convnet'), (8, 8, 1))
  top = variables['params']['transformation']
  layers = ['1a', '1b', '2a', '2b']
  assert set(top) == {'conv', 'norm'} | {
    f'{kind}{layer}' for kind in ('dense', 'norm', 'prelu') for layer in layers
  }
  assert top['conv']['kernel'].shape == (1, 1, 128, 5)
  assert set(top['conv']) == {'kernel'}, 'the 1x1 convolution has no bias'
  for layer in layers:
    assert top[f'dense{layer}']['kernel'].shape == (5, 5)
    assert top[f'dense{layer}']['bias'].shape == (5,)


def test_the_transformation_pools_and_skips():
  top = necks.TransformNeck(4)
  feature_map = jax.random.normal(jax.random.key(0), (3, 2, 2, 6))
  variables = top.init(jax.random.key(1), feature_map, train=False)
  for layer in ('2a', '2b', '1a', '1b'):
    variables['params'][f'dense{layer}']['kernel'] *= 0
  # Both residual layers are zero now: only the pooled convolution is left.
  kernel = variables['params']['conv']['kernel'][0, 0]
  expected = feature_map.mean((1, 2)) @ kernel / np.sqrt(1 + 1e-5)
  actual = top.apply(variables, feature_map, train=False)
  np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-6)


def test_a_fixed_frame_is_no_parameter():
  frame = frames.simplex_etf(5)
  network = build_network(head=heads.Fixed(frame))
  images = jax.random.normal(jax.random.key(0), (3, 4, 4, 1))
  variables = network.init(jax.random.key(1), images, train=False)
  assert set(variables['params']) == {'backbone', 'transformation'}
  outputs = network.apply(variables, images, train=False)
  np.testing.assert_allclose(
    outputs.logits,
    np.asarray(outputs.features) @ frame.T.astype(np.float32),
    rtol=1e-5,
    atol=1e-6,
  )
  wrong = build_network(head=heads.Fixed(frames.simplex_etf(7)))
  with pytest.raises(ValueError, match='7 dimensions and the features have 5'):
    shapes(wrong, (4, 4, 1))


@pytest.mark.parametrize(
  'name', ['mlp', 'convnet', 'wrn_10_1', 'resnet_50', 'vgg_16', 'vit_s_4']
)
def test_half_precision_computes_but_does_not_store(name):
  network = build_network(
    name, necks.TransformNeck(5, dtype=jnp.bfloat16), dtype=jnp.bfloat16
  )
  variables, outputs = shapes(network, (8, 8, 1))
  for leaf in jax.tree.leaves(variables):
    assert leaf.dtype == jnp.float32
  assert outputs.logits.dtype == outputs.features.dtype == jnp.float32
  for leaf in jax.tree.leaves(outputs.intermediates):
    assert leaf.dtype == jnp.bfloat16


def test_statistics_follow_training_only():
  network = build_network('mlp', bn_momentum=0.75)
  images = jax.random.normal(jax.random.key(0), (8, 4, 4, 1)) + 1
  variables = network.init(jax.random.key(1), images, train=False)
  _, updated = network.apply(
    variables, images, train=True, mutable=['batch_stats']
  )
  statistics = updated['batch_stats']['backbone']['norm1']
  hidden = (
    images.reshape(8, -1) @ variables['params']['backbone']['dense1']['kernel']
  )
  np.testing.assert_allclose(
    statistics['mean'], 0.25 * hidden.mean(0), rtol=1e-4, atol=1e-6
  )
  _, updated = network.apply(
    variables, images, train=False, mutable=['batch_stats']
  )
  jax.tree.map(
    np.testing.assert_array_equal,
    updated['batch_stats'],
    variables['batch_stats'],
  )


def test_padding_is_that_of_pytorch():
  """Stride 2 on even sizes starts at the corner; 'SAME' would not."""
  x = jnp.zeros((1, 4, 4, 1)).at[0, 0, 0, 0].set(1.0)
  kernel = jnp.arange(9.0).reshape(3, 3, 1, 1)
  out = conv(1, 3, 2).apply({'params': {'kernel': kernel}}, x)
  np.testing.assert_array_equal(out[0, :, :, 0], [[4, 0], [0, 0]])
