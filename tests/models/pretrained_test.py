# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Published weights: the same features as in PyTorch, or a clear refusal."""

import functools
import importlib.util
import io
import json
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

from hafjax import models
from hafjax.data import load_dataset
from hafjax.models import pretrained
from hafjax.models import resnet
from hafjax.models import vgg
from hafjax.models import vit
from hafjax.models.pretrained import layouts
from hafjax.runs.checkpoints import Checkpoints
from hafjax.runs.record import CheckpointError
from hafjax.runs.record import describe
from hafjax.runs.workdir import Workdir
from hafjax.train.config import ConfigError
from hafjax.train.config import check_config
from hafjax.train.config import identity
from hafjax.train.run import train_and_evaluate
from hafjax.train.session import Session
from hafjax.train.state import initial_state
from tests import helpers
from tests import published

HAS_TORCH = importlib.util.find_spec('torch') is not None
needs_torch = pytest.mark.skipif(not HAS_TORCH, reason='PyTorch is optional')

BASIC = resnet.ResNet((1, 2), width=4)
BOTTLENECK = resnet.ResNet((2, 1), bottleneck=True, small_images=True, width=4)
SMALL_VGG = vgg.VGG((1, 2), (4, 6))
SMALL_VIT = vit.ViT(4, width=8, depth=2, num_heads=2)
# Of each backbone above, what its file has.
SHAPES = {
  'basic': published.resnet_shapes((1, 2)),
  'bottleneck': published.resnet_shapes((2, 1), True, True),
  'vgg': published.vgg_shapes((1, 2), (4, 6)),
  'vit': published.vit_shapes(4, 8, 2, 12),
}
BACKBONES = dict(
  basic=BASIC, bottleneck=BOTTLENECK, vgg=SMALL_VGG, vit=SMALL_VIT
)


def shapes_of(backbone, size=12):
  images = jnp.zeros((1, size, size, 3))
  return jax.eval_shape(
    lambda: backbone.init(jax.random.key(0), images, train=False)
  )


def converted(tensors, backbone, size=12):
  return pretrained.convert(tensors, backbone, shapes_of(backbone, size))


def assert_same(tree, other):
  jax.tree.map(np.testing.assert_array_equal, tree, other)


# --- As in PyTorch -----------------------------------------------------------


def torch_twin(name, backbone, size):
  from tests import torch_models

  if name in ('basic', 'bottleneck'):
    return torch_models.ResNet(
      backbone.stage_sizes,
      backbone.bottleneck,
      backbone.small_images,
      backbone.width,
    )
  if name == 'vgg':
    return torch_models.VGG(backbone.stage_sizes, backbone.widths)
  return torch_models.ViT(
    backbone.patch_size,
    backbone.width,
    backbone.depth,
    backbone.num_heads,
    size,
  )


def compare_with_torch(name, backbone, size, folder):
  """Features and logits of one file, there and here."""
  import torch

  from tests import torch_models

  torch.manual_seed(0)
  twin = torch_models.randomise(torch_twin(name, backbone, size))
  images = torch.randn(2, 3, size, size)
  with torch.no_grad():
    expected = twin.features(images).permute(0, 2, 3, 1).numpy()
    logits = twin(images).numpy()
  torch.save({'epoch': 1, 'state_dict': twin.state_dict()}, folder / 'x.pth')
  tensors = pretrained.load(folder / 'x.pth')
  variables, report = converted(tensors, backbone, size)
  actual, _ = jax.jit(functools.partial(backbone.apply, train=False))(
    variables, images.permute(0, 2, 3, 1).numpy()
  )
  np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4)
  last = {'vgg': 'classifier.0', 'vit': 'head'}.get(name, 'fc')
  weight, bias = (tensors[f'{last}.{leaf}'] for leaf in ('weight', 'bias'))
  actual = np.asarray(actual).mean((1, 2)) @ weight.T + bias
  np.testing.assert_allclose(actual, logits, rtol=1e-4, atol=1e-4)
  assert np.ptp(logits) > 0.01, 'the comparison would see nothing'
  counters = {n for n in tensors if n.endswith('num_batches_tracked')}
  assert set(report.skipped) == {f'{last}.weight', f'{last}.bias', *counters}
  assert set(report.loaded) == tensors.keys() - set(report.skipped)


@needs_torch
@pytest.mark.parametrize(
  'name, size',
  [
    ('basic', 32),
    ('basic', 28),
    ('bottleneck', 28),
    # Of odd maps torchvision's pooling drops the border, and ours does not.
    ('vgg', 32),
    ('vit', 12),
    ('vit', 28),
  ],
)
def test_features_and_logits_are_those_of_torch(name, size, tmp_path):
  compare_with_torch(name, BACKBONES[name], size, tmp_path)


@needs_torch
@pytest.mark.slow
@pytest.mark.parametrize(
  'kind, name, size',
  [
    ('basic', 'resnet_18', 64),
    ('bottleneck', 'resnet_50', 64),
    ('bottleneck', 'resnet_50_small', 32),
    ('vgg', 'vgg_16', 64),
    ('vit', 'vit_s_16', 224),
  ],
)
def test_whole_networks_are_those_of_torch(kind, name, size, tmp_path):
  compare_with_torch(kind, models.build(name), size, tmp_path)


@needs_torch
@pytest.mark.parametrize('name', BACKBONES)
def test_names_and_shapes_are_those_of_torch(name):
  state = torch_twin(name, BACKBONES[name], 12).state_dict()
  assert {n: tuple(t.shape) for n, t in state.items()} == SHAPES[name]


@needs_torch
@pytest.mark.parametrize('old, new', [(3, 5), (5, 3), (14, 24)])
def test_positions_are_resized_as_in_timm(old, new):
  import torch

  positions = np.random.default_rng(0).normal(size=(1, 1 + old**2, 6))
  positions = positions.astype(np.float32)
  grid = torch.tensor(positions[:, 1:]).reshape(1, old, old, 6)
  expected = torch.nn.functional.interpolate(
    grid.permute(0, 3, 1, 2), (new, new), mode='bicubic', antialias=True
  )
  found = layouts.resized(positions, (1, 1 + new**2, 6))
  np.testing.assert_array_equal(found[:, 0], positions[:, 0])
  np.testing.assert_allclose(
    found[0, 1:].reshape(new, new, 6),
    expected[0].permute(1, 2, 0).numpy(),
    atol=1e-5,
  )


# --- As published, without PyTorch --------------------------------------------


def published_network(figures, group, shapes, model, size):
  """Final map and intermediates under weights that their names determine."""
  tensors = published.hashed_tensors(
    {n: s for n, s in shapes.items() if not n.startswith(('fc.', 'head.'))}
  )
  total = sum(t.astype(np.float64).sum() for t in tensors.values())
  absolute = sum(np.abs(t.astype(np.float64)).sum() for t in tensors.values())
  np.testing.assert_allclose(
    [total, absolute], figures[f'{group}/checksum'], rtol=1e-9
  )
  backbone = models.build(model)
  variables, _ = converted(tensors, backbone, size)
  images = figures[f'input{size}'].transpose(1, 2, 0)[None]
  return jax.jit(functools.partial(backbone.apply, train=False))(
    variables, images
  )


def test_published_features_of_a_resnet(reference):
  figures = reference('resnet_features')
  shapes = published.resnet_shapes((3, 4, 6, 3), bottleneck=True, width=64)
  features, parts = published_network(
    figures, 'resnet50', shapes, 'resnet_50', 64
  )

  def close(actual, key):
    expected = figures[f'resnet50/{key}']
    np.testing.assert_allclose(
      actual, expected, rtol=0, atol=5e-6 * np.abs(expected).max()
    )

  close(features[0].transpose(2, 0, 1), 'features')
  close(features[0].mean((0, 1)), 'pooled')
  for theirs, ours in (
    ('stem', 'stem'),
    *((f'layer{stage}', f'stage{stage}') for stage in range(1, 5)),
  ):
    close(parts[ours][0].mean((0, 1)), f'{theirs}_mean')


def test_published_features_of_a_vit(reference):
  figures = reference('vit_features')
  group = 'vit_small_patch16_224'
  features, parts = published_network(
    figures, group, published.vit_shapes(16, 384, 12, 48), 'vit_s_16', 48
  )

  def close(actual, expected):
    np.testing.assert_allclose(
      actual, expected, rtol=0, atol=5e-6 * max(1, np.abs(expected).max())
    )

  # Of the final norm we keep the class token alone.
  close(features[0, 0, 0], figures[f'{group}/pooled'])
  close(features[0, 0, 0], figures[f'{group}/features'][0])
  for block, token in enumerate(figures[f'{group}/block_token0'], 1):
    close(parts[f'block{block}'][0, 0], token)


@pytest.mark.parametrize('change', ['7to4', '4to7'])
def test_published_positions_are_resized(reference, change):
  figures = reference('vit_features')
  expected = figures[f'resample/{change}/out']
  found = layouts.resized(figures[f'resample/{change}/in'], expected.shape)
  np.testing.assert_allclose(found, expected, atol=2e-6)


# --- Layouts -----------------------------------------------------------------


@pytest.mark.parametrize('name', BACKBONES)
def test_every_tensor_finds_its_place(name):
  tensors = published.tensors(SHAPES[name])
  backbone = BACKBONES[name]
  variables, report = converted(tensors, backbone)
  expected = shapes_of(backbone)
  assert jax.tree.structure(variables) == jax.tree.structure(expected)
  assert jax.tree.map(np.shape, variables) == jax.tree.map(np.shape, expected)
  # No number is lost, and none is used twice.
  if name != 'vgg':  # Whose means are differences.
    ours = [leaf.ravel() for leaf in jax.tree.leaves(variables)]
    theirs = [tensors[n].ravel() for n in report.loaded]
    np.testing.assert_array_equal(
      np.sort(np.concatenate(ours)), np.sort(np.concatenate(theirs))
    )


@pytest.mark.parametrize(
  'prefix',
  ['module.encoder_q.', 'module.', 'backbone.', 'module.backbone.'],
)
def test_prefixes_and_other_encoders(prefix):
  plain = published.tensors(SHAPES['basic'])
  other = published.tensors(SHAPES['basic'], seed=1)
  mixed = {f'module.encoder_k.{n}': t for n, t in other.items()}
  mixed['module.queue'] = np.zeros((3, 4), np.float32)
  if prefix == 'module.':
    mixed = {}
  mixed |= {prefix + name: tensor for name, tensor in plain.items()}
  expected, _ = converted(plain, BASIC)
  actual, report = converted(mixed, BASIC)
  assert_same(actual, expected)
  assert set(report.loaded) | set(report.skipped) == mixed.keys()
  assert all(name.startswith(prefix) for name in report.loaded)


@pytest.mark.parametrize('old', [False, True])
@pytest.mark.parametrize('prefix', ['', 'params/', 'opt/target/'])
def test_transformers_of_big_vision(old, prefix, tmp_path):
  timm = published.tensors(SHAPES['vit'])
  tensors = published.as_jax_vit(timm, num_heads=2, old=old)
  tensors = {prefix + name: tensor for name, tensor in tensors.items()}
  np.savez(tmp_path / 'vit.npz', **tensors)
  images = jax.random.normal(jax.random.key(0), (2, 12, 12, 3))
  apply = jax.jit(functools.partial(SMALL_VIT.apply, train=False))
  features = {}
  for name, given in (
    ('timm', timm),
    ('jax', pretrained.load(tmp_path / 'vit.npz')),
  ):
    variables, report = converted(given, SMALL_VIT)
    features[name], _ = apply(variables, images)
  assert report.words.startswith('vit_jax' if old else 'big_vision')
  assert set(report.skipped) == {
    f'{prefix}head/{x}' for x in ('kernel', 'bias')
  }
  np.testing.assert_allclose(features['jax'], features['timm'], atol=1e-6)


def test_positions_follow_the_image():
  tensors = published.tensors(SHAPES['vit'])
  variables, _ = converted(tensors, SMALL_VIT, size=20)
  positions = variables['params']['positions']
  assert positions.shape == (1, 26, 8)
  np.testing.assert_array_equal(positions[:, 0], tensors['pos_embed'][:, 0])
  # A constant stays one, whatever the size.
  tensors['pos_embed'][:, 1:] = 3
  variables, _ = converted(tensors, SMALL_VIT, size=20)
  np.testing.assert_allclose(
    variables['params']['positions'][:, 1:], 3, rtol=1e-6
  )


def test_a_bias_before_batch_norm_is_a_smaller_mean():
  tensors = published.tensors(SHAPES['vgg'])
  variables, _ = converted(tensors, SMALL_VGG)
  np.testing.assert_array_equal(
    variables['batch_stats']['stage2_norm2']['mean'],
    tensors['features.8.running_mean'] - tensors['features.7.bias'],
  )


def test_half_precision_is_read_as_float32(tmp_path):
  tensors = published.tensors(SHAPES['vit'])
  half = {n: t.astype(jnp.bfloat16) for n, t in tensors.items()}
  expected, _ = converted(half, SMALL_VIT)
  np.savez(tmp_path / 'vit.npz', **half)
  actual, _ = converted(pretrained.load(tmp_path / 'vit.npz'), SMALL_VIT)
  assert_same(actual, expected)
  assert actual['params']['norm']['scale'].dtype == np.float32


# --- Weights that are refused ------------------------------------------------


def without(name):
  return lambda tensors: tensors.pop(name)


def put(name, value):
  return lambda tensors: tensors.update({name: np.asarray(value)})


def poisoned(name, value, dtype=np.float32):
  def change(tensors):
    tensors[name] = tensors[name].astype(dtype)
    tensors[name].flat[0] = value

  return change


@pytest.mark.parametrize(
  'name, change, message',
  [
    (
      'basic',
      without('layer2.1.conv2.weight'),
      "lacks 'layer2.1.conv2.weight'",
    ),
    ('basic', without('bn1.running_var'), "lacks 'bn1.running_var': .*incompl"),
    ('basic', put('layer2.2.conv1.weight', 0.0), "no place for 'layer2.2.conv"),
    ('basic', put('layer1.0.se.fc1.weight', 0.0), 'of another architecture.$'),
    (
      'basic',
      put('conv1.weight', np.ones((4, 3, 3, 3), np.float32)),
      r"'conv1.weight' is \[4, 3, 3, 3\], laid out as \[3, 3, 3, 4\], and the "
      r'model has \[7, 7, 3, 4\] there \(conv1/kernel\)',
    ),
    ('basic', put('bn1.bias', np.float32(1)), r"'bn1.bias' is \[\]"),
    (
      'basic',
      put('conv1.weight', np.ones(3, np.float32)),
      r'is \[3\], and the',
    ),
    (
      'basic',
      poisoned('bn1.weight', np.nan),
      "'bn1.weight' has values .* not f",
    ),
    ('basic', poisoned('bn1.bias', 1e300, np.float64), "'bn1.bias' has values"),
    ('basic', poisoned('bn1.bias', 1, np.int8), "'bn1.bias' is of type int8"),
    ('basic', lambda t: t.clear(), "none of its 0 tensors is called 'conv1"),
    ('vgg', without('features.1.running_mean'), "lacks 'features.1.running_m"),
    ('vgg', put('features.9.weight', 0.0), "no place for 'features.9.weight'"),
    ('vit', put('blocks.2.norm1.weight', 0.0), "no place for 'blocks.2.norm1"),
    ('vit', put('blocks.0.ls1.gamma', 0.0), "no place for 'blocks.0.ls1.gamma"),
    ('vit', put('dist_token', 0.0), "no place for 'dist_token'"),
    (
      'vit',
      put('pos_embed', np.ones((1, 11, 8), np.float32)),
      r"'pos_embed' is \[1, 11, 8\]",
    ),
    (
      'vit',
      put('blocks.0.attn.qkv.weight', np.ones((23, 8), np.float32)),
      r'qkv.weight. is \[23, 8\], and',
    ),
  ],
)
def test_tensors_that_do_not_fit(name, change, message):
  tensors = published.tensors(SHAPES[name])
  change(tensors)
  with pytest.raises(pretrained.PretrainedError, match=message) as caught:
    converted(tensors, BACKBONES[name])
  assert '\n' not in str(caught.value)


@pytest.mark.parametrize('theirs', SHAPES)
@pytest.mark.parametrize('ours', BACKBONES)
def test_weights_of_another_network(theirs, ours):
  if theirs == ours:
    return
  with pytest.raises(pretrained.PretrainedError):
    converted(published.tensors(SHAPES[theirs]), BACKBONES[ours])


@pytest.mark.parametrize(
  'model, stage_sizes, bottleneck, message',
  [
    ('resnet_18', (3, 4, 6, 3), False, "no place for 'layer1.2.conv1.weight'"),
    ('resnet_18', (3, 4, 6, 3), True, 'no place for .*layer1.0.conv3.weight'),
    ('resnet_34', (2, 2, 2, 2), False, "lacks 'layer1.2.bn1.running_mean'"),
    ('resnet_50', (3, 4, 23, 3), True, "no place for 'layer3.6.conv1.weight'"),
    (
      'wrn_28_8',
      (3, 4, 23, 3),
      True,
      'of the kinds ResNet, VGG, ViT, and this',
    ),
    ('vgg_16', (2, 2, 2, 2), False, "called 'features.0.weight' .torchvision"),
    ('vit_s_16', (2, 2, 2, 2), False, "'patch_embed.proj.weight' .* or 'Tran"),
  ],
)
def test_whole_networks_of_another_depth(
  model, stage_sizes, bottleneck, message, tmp_path
):
  shapes = published.resnet_shapes(stage_sizes, bottleneck, width=64)
  # Shapes alone: nothing is read of tensors that cannot be used.
  tensors = {
    name: np.broadcast_to(np.float32(1), shape)
    for name, shape in shapes.items()
  }
  backbone = models.build(model)
  with pytest.raises(pretrained.PretrainedError, match=message):
    converted(tensors, backbone, size=32)


# --- Files -------------------------------------------------------------------

TWO = dict(a=np.arange(6, dtype=np.float32).reshape(2, 3), b=np.asarray(7))
ONE = dict(a=np.ones(1, np.float32))


def test_safetensors_are_read(tmp_path):
  file = tmp_path / 'two.safetensors'
  file.write_bytes(published.safetensors(TWO))
  found = pretrained.load(file)
  assert list(found) == list(TWO)
  assert_same(found, TWO)
  assert {n: t.dtype for n, t in found.items()} == {
    n: t.dtype for n, t in TWO.items()
  }


def test_safetensors_of_the_reference_writer(tmp_path):
  tensors = published.tensors(SHAPES['vit'])
  tensors['half'] = tensors['norm.bias'].astype(np.float16)
  tensors['brain'] = tensors['norm.bias'].astype(jnp.bfloat16)
  tensors['empty'] = np.zeros((0, 3), np.float32)
  safetensors.numpy.save_file(tensors, tmp_path / 'x.safetensors')
  found = pretrained.load(tmp_path / 'x.safetensors')
  assert found.keys() == tensors.keys()
  for name, tensor in tensors.items():
    assert found[name].dtype == tensor.dtype
    np.testing.assert_array_equal(found[name], tensor)


def test_every_truncation_is_told(tmp_path):
  file = tmp_path / 'two.safetensors'
  whole = published.safetensors(TWO)
  for length in range(len(whole)):
    file.write_bytes(whole[:length])
    with pytest.raises(pretrained.PretrainedError, match='is damaged'):
      pretrained.load(file)
  np.savez(tmp_path / 'two.npz', **TWO)
  whole = (tmp_path / 'two.npz').read_bytes()
  for length in range(0, len(whole), 7):
    (tmp_path / 'two.npz').write_bytes(whole[:length])
    with pytest.raises(pretrained.PretrainedError, match='npz is damaged'):
      pretrained.load(tmp_path / 'two.npz')


def flipped_byte():
  stream = io.BytesIO()
  np.savez(stream, **TWO)
  found = bytearray(stream.getvalue())
  found[found.index(TWO['a'].tobytes()) + 5] ^= 1
  return bytes(found)


def pickled():
  stream = io.BytesIO()
  np.savez(stream, a=np.asarray([{}, []], object))
  return stream.getvalue()


@pytest.mark.parametrize(
  'name, content, message',
  [
    ('x.safetensors', None, 'x.safetensors cannot be read: .*No such file'),
    ('x.h5', b'', r'read from .safetensors, .npz, .* not from .\.h5'),
    ('x', b'', "not from 'files without a suffix'"),
    ('x.safetensors', b'', 'x.safetensors is damaged .*header too small'),
    (
      'x.safetensors',
      published.safetensors(TWO) + b'!',
      'is damaged .*not fully covered',
    ),
    ('x.safetensors', b'\x02' + bytes(7) + b'[]', 'damaged'),
    ('x.safetensors', b'\x04' + bytes(7) + b'{"a"', 'damaged'),
    ('x.safetensors', b'\x09' + bytes(7) + b'{"a": {}}', 'damaged'),
    ('x.safetensors', b'\x02' + bytes(7) + b'{}', 'holds no tensors'),
    (
      'x.safetensors',
      published.safetensors(ONE, a=dict(dtype='F8_E4M3', shape=[4])),
      "tensor 'a' is of type 'F8_E4M3', and those that are read are F64, F32",
    ),
    (
      'x.safetensors',
      published.safetensors(TWO, a=dict(dtype='F8')),
      'is damaged .*unknown variant `F8`',
    ),
    (
      'x.safetensors',
      published.safetensors(TWO, a=dict(shape=[3, 3])),
      'is damaged .*invalid shape',
    ),
    (
      'x.safetensors',
      published.safetensors(TWO, a=dict(data_offsets=[-24, 0])),
      'is damaged .*-24',
    ),
    (
      'x.safetensors',
      published.safetensors(ONE, a=dict(shape=[1] * 70)),
      'is damaged .*dimension',
    ),
    ('x.npz', b'no archive', 'x.npz is damaged'),
    ('x.npz', flipped_byte(), 'x.npz is damaged .*CRC'),
    ('x.npz', pickled(), 'x.npz is damaged .*Python objects'),
  ],
)
def test_files_that_cannot_be_used(name, content, message, tmp_path):
  if content is not None:
    (tmp_path / name).write_bytes(content)
  with pytest.raises(pretrained.PretrainedError, match=message) as caught:
    pretrained.load(tmp_path / name)
  assert '\n' not in str(caught.value)


def test_safetensors_are_asked_for(tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, 'safetensors', None)
  file = tmp_path / 'x.safetensors'
  file.write_bytes(published.safetensors(TWO))
  message = "x.safetensors .* not installed: .* the extra 'pretrained'"
  with pytest.raises(pretrained.PretrainedError, match=message):
    pretrained.load(file)


def test_pytorch_is_asked_for(tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, 'torch', None)
  message = 'not installed: install it .* or convert the file to .safetensors'
  for suffix in ('.pth', '.pt', '.pth.tar'):
    with pytest.raises(pretrained.PretrainedError, match=message):
      pretrained.load(tmp_path / f'x{suffix}')


@needs_torch
def test_files_of_pytorch(tmp_path):
  import torch

  weights = {'a': torch.arange(6.0).reshape(2, 3), 'b': torch.tensor(7)}
  half = {'a': weights['a'].bfloat16(), 'b': weights['b']}
  file = tmp_path / 'x.pth.tar'
  for content, legacy in (
    (weights, False),
    (weights, True),
    (half, False),
    ({'epoch': 3, 'arch': 'x', 'state_dict': weights, 'optimizer': {}}, False),
    ({'model': {'teacher': weights}}, False),
  ):
    torch.save(content, file, _use_new_zipfile_serialization=not legacy)
    found = pretrained.load(file)
    assert set(found) == {'a', 'b'}
    np.testing.assert_array_equal(found['a'].astype(np.float32), TWO['a'])
  whole = file.read_bytes()
  for length in (0, 10, len(whole) // 2, len(whole) - 1):
    file.write_bytes(whole[:length])
    with pytest.raises(pretrained.PretrainedError, match='damaged') as caught:
      pretrained.load(file)
    assert '\n' not in str(caught.value)
  torch.save({'epoch': 3}, file)
  with pytest.raises(pretrained.PretrainedError, match='holds no tensors'):
    pretrained.load(file)


class Trap:
  """Its pickle, where it is run, leaves a file."""

  def __init__(self, file):
    self.file = file

  def __reduce__(self):
    return open, (str(self.file), 'w')


@needs_torch
def test_no_code_is_run(tmp_path):
  import torch

  torch.save({'state_dict': Trap(tmp_path / 'trap')}, tmp_path / 'x.pt')
  with pytest.raises(pretrained.PretrainedError, match='would run code'):
    pretrained.load(tmp_path / 'x.pt')
  assert not (tmp_path / 'trap').exists()
  torch.load(tmp_path / 'x.pt', weights_only=False)
  assert (tmp_path / 'trap').exists(), 'the trap is none'


# --- Training from them ------------------------------------------------------


@pytest.fixture
def start(tmp_path, monkeypatch):
  """A config that starts a tiny ResNet from a file, and what is in that."""
  tiny = functools.partial(
    resnet.ResNet, stage_sizes=(1, 1), small_images=True, width=4
  )
  monkeypatch.setitem(models._BACKBONES, 'resnet_tiny', tiny)
  shapes = published.resnet_shapes((1, 1), small_images=True)
  tensors = published.tensors(shapes)
  file = tmp_path / 'tiny.safetensors'
  file.write_bytes(published.safetensors(tensors))
  config = helpers.tiny_config(
    model='resnet_tiny',
    init_from=str(file),
    batch_size=120,
    num_epochs=1,
    weight_decay=0.0,
    # So slow that float32 does not see it.
    **{'lr.backbone': 1e-30},
  )
  variables, _ = converted(tensors, tiny(), size=8)
  return config, file, variables


@pytest.mark.slow
def test_a_run_starts_from_the_given_weights(start, tmp_path, caplog):
  config, file, variables = start
  caplog.set_level('INFO', logger='absl')
  results = train_and_evaluate(config, tmp_path / 'run')
  assert results['num_steps'] == 2
  assert f'The backbone resnet_tiny starts from {file}: torch' in caplog.text
  assert 'skipped 8 (bn1.num_batches_tracked, ' in caplog.text
  assert 'bn*.num_batches_tracked x 4, ' in caplog.text
  state, setup, data = helpers.restored(config, tmp_path / 'run')
  assert_same(state.params['backbone'], variables['params'])
  initial = Session(setup).initial_state(variables)
  assert_same(initial.params['backbone'], variables['params'])
  # Statistics are the file's at first, and follow the images.
  statistics = variables['batch_stats']
  assert_same(initial.variables['batch_stats']['backbone'], statistics)
  moved = state.variables['batch_stats']['backbone']['norm1']['mean']
  assert not np.allclose(moved, statistics['norm1']['mean'])
  # All else is drawn by the seed.
  fresh = initial_state(setup)
  assert_same(initial.params['transformation'], fresh.params['transformation'])
  assert_same(jax.tree.map(np.shape, initial), jax.tree.map(np.shape, fresh))


@pytest.mark.slow
def test_a_run_goes_on_without_the_file(start, tmp_path, monkeypatch):
  config, file, _ = start
  config.num_epochs = 2
  folder = tmp_path / 'run'
  save = Checkpoints.save

  def save_and_stop(self, *args):
    save(self, *args)
    self.wait()
    raise KeyboardInterrupt

  with monkeypatch.context() as patch:
    patch.setattr(Checkpoints, 'save', save_and_stop)
    with pytest.raises(KeyboardInterrupt):
      train_and_evaluate(config, folder)
  record = json.loads((folder / 'run.json').read_text())
  assert len(record['init_from']) == 64
  content = file.read_bytes()

  # Other weights, or none, are another run.
  file.write_bytes(content[:-1] + b'?')
  with pytest.raises(CheckpointError, match='differs in init_from'):
    train_and_evaluate(config, folder)
  plain = config.copy_and_resolve_references()
  plain.init_from = ''
  with pytest.raises(CheckpointError, match='differs in init_from'):
    train_and_evaluate(plain, folder)

  # The same ones may be elsewhere, or gone.
  file.write_bytes(content)
  config.init_from = str(file.rename(tmp_path / 'moved.safetensors'))
  data = load_dataset(config)
  Workdir(folder, describe(config, data), identity).close()
  (tmp_path / 'moved.safetensors').unlink()
  assert train_and_evaluate(config, folder)['num_steps'] == 4


def test_a_run_without_weights_does_not_go_on_with_some(start, tmp_path):
  config, file, _ = start
  plain = config.copy_and_resolve_references()
  plain.init_from = ''
  data = load_dataset(plain)
  Workdir(tmp_path, describe(plain, data), identity).close()
  for _ in range(2):
    record = describe(config, data)
    with pytest.raises(CheckpointError, match='differs in init_f'):
      Workdir(tmp_path, record, identity)
    file.unlink(missing_ok=True)


def test_bad_weights_leave_nothing_behind(start, tmp_path):
  config, file, _ = start
  folder = tmp_path / 'run'
  config.model = 'resnet_18'
  message = f'{file} does not go with the model resnet_18: it lacks'
  with pytest.raises(pretrained.PretrainedError, match=message):
    train_and_evaluate(config, folder)
  file.unlink()
  with pytest.raises(pretrained.PretrainedError, match='cannot be read'):
    train_and_evaluate(config, folder)
  assert not folder.exists()
  config.init_from = None
  with pytest.raises(ConfigError, match='init_from must be text'):
    check_config(config)
