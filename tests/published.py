# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Files of weights as others publish them, small and random, by NumPy alone."""

import json
import math
import struct
import zlib

import numpy as np


def _norm(name, width):
  leaves = ('weight', 'bias', 'running_mean', 'running_var')
  shapes = {f'{name}.{leaf}': (width,) for leaf in leaves}
  return shapes | {f'{name}.num_batches_tracked': ()}


def resnet_shapes(stage_sizes, bottleneck=False, small_images=False, width=4):
  """Names and shapes of torchvision's ResNet."""
  size = 3 if small_images else 7
  shapes = {'conv1.weight': (width, 3, size, size), **_norm('bn1', width)}
  inputs = width
  for stage, count in enumerate(stage_sizes):
    channels = width * 2**stage
    layers = [(channels, 3), (channels, 3)]
    if bottleneck:
      layers = [(channels, 1), (channels, 3), (4 * channels, 1)]
    for block in range(count):
      prefix, start = f'layer{stage + 1}.{block}', inputs
      for number, (outputs, size) in enumerate(layers, 1):
        name = f'{prefix}.conv{number}.weight'
        shapes[name] = (outputs, inputs, size, size)
        shapes |= _norm(f'{prefix}.bn{number}', outputs)
        inputs = outputs
      if (stage and not block) or start != inputs:
        shapes[f'{prefix}.downsample.0.weight'] = (inputs, start, 1, 1)
        shapes |= _norm(f'{prefix}.downsample.1', inputs)
  return shapes | {'fc.weight': (5, inputs), 'fc.bias': (5,)}


def vgg_shapes(stage_sizes, widths):
  """Names and shapes of torchvision's VGG with BatchNorm."""
  shapes, index, inputs = {}, 0, 3
  for count, width in zip(stage_sizes, widths, strict=True):
    for _ in range(count):
      shapes[f'features.{index}.weight'] = (width, inputs, 3, 3)
      shapes[f'features.{index}.bias'] = (width,)
      shapes |= _norm(f'features.{index + 1}', width)
      index, inputs = index + 3, width
    index += 1
  shapes['classifier.0.weight'] = (5, inputs)
  return shapes | {'classifier.0.bias': (5,)}


def _dense(name, inputs, outputs):
  return {f'{name}.weight': (outputs, inputs), f'{name}.bias': (outputs,)}


def vit_shapes(patch_size, width, depth, image_size):
  """Names and shapes of timm's ViT."""
  shapes = {
    'cls_token': (1, 1, width),
    'pos_embed': (1, 1 + (image_size // patch_size) ** 2, width),
    'patch_embed.proj.weight': (width, 3, patch_size, patch_size),
    'patch_embed.proj.bias': (width,),
  }
  for block in range(depth):
    prefix = f'blocks.{block}'
    for norm in ('norm1', 'norm2'):
      shapes[f'{prefix}.{norm}.weight'] = (width,)
      shapes[f'{prefix}.{norm}.bias'] = (width,)
    shapes |= _dense(f'{prefix}.attn.qkv', width, 3 * width)
    shapes |= _dense(f'{prefix}.attn.proj', width, width)
    shapes |= _dense(f'{prefix}.mlp.fc1', width, 4 * width)
    shapes |= _dense(f'{prefix}.mlp.fc2', 4 * width, width)
  shapes |= {'norm.weight': (width,), 'norm.bias': (width,)}
  return shapes | _dense('head', width, 5)


def tensors(shapes, seed=0):
  """Random float32 arrays; variances are positive and counters integers."""
  rng = np.random.default_rng(seed)

  def draw(name, shape):
    if name.endswith('num_batches_tracked'):
      return np.asarray(7, np.int64)
    values = rng.normal(size=shape).astype(np.float32) / 4
    return 1 + np.abs(values) if name.endswith('running_var') else values

  return {name: draw(name, shape) for name, shape in shapes.items()}


def hashed_tensors(shapes):
  """The weights under which tests/reference has features of networks.

  A value is a hash of the tensor's name and the index, of a size by its kind.
  """

  def draw(name, shape):
    h = np.arange(math.prod(shape), dtype=np.uint32) * np.uint32(2654435761)
    h += np.uint32(zlib.crc32(name.encode()))
    for shift, factor in ((16, 2246822519), (13, 3266489917)):
      h = (h ^ (h >> np.uint32(shift))) * np.uint32(factor)
    u = ((h ^ (h >> np.uint32(16))) / 2**31 - 1).reshape(shape)
    if name.endswith('.weight') and len(shape) > 1:
      return u * np.sqrt(3 / math.prod(shape[1:]))
    if name.endswith(('.weight', '.running_var')):
      return 1 + 0.2 * u
    return u * (0.1 if name.endswith(('.bias', '.running_mean')) else 0.5)

  return {
    name: draw(name, shape).astype(np.float32)
    for name, shape in shapes.items()
    if not name.endswith('num_batches_tracked')
  }


def as_jax_vit(timm, num_heads, old=False):
  """timm's ViT under the names of big_vision, or of vit_jax before it."""
  attention, norm, mlp = (1, 2, 3) if old else (0, 1, 0)
  width = timm['cls_token'].shape[-1]
  split = (num_heads, width // num_heads)
  found = {
    'embedding/kernel': timm['patch_embed.proj.weight'].transpose(2, 3, 1, 0),
    'embedding/bias': timm['patch_embed.proj.bias'],
    'Transformer/encoder_norm/scale': timm['norm.weight'],
    'Transformer/encoder_norm/bias': timm['norm.bias'],
    'head/kernel': timm['head.weight'].T,
    'head/bias': timm['head.bias'],
  }
  if old:
    found['cls'] = timm['cls_token']
    name = 'Transformer/posembed_input/pos_embedding'
    found[name] = timm['pos_embed']
  else:
    # Its class token has no position: the sum is the same.
    found['cls'] = timm['cls_token'] + timm['pos_embed'][:, :1]
    found['pos_embedding'] = timm['pos_embed'][:, 1:]
  depth = sum(name.endswith('.norm1.bias') for name in timm)
  for block in range(depth):
    theirs, ours = f'blocks.{block}', f'Transformer/encoderblock_{block}'
    for number, own in (('1', '0'), ('2', norm)):
      for leaf, name in (('weight', 'scale'), ('bias', 'bias')):
        found[f'{ours}/LayerNorm_{own}/{name}'] = timm[
          f'{theirs}.norm{number}.{leaf}'
        ]
    prefix = f'{ours}/MultiHeadDotProductAttention_{attention}'
    for i, part in enumerate(('query', 'key', 'value')):
      rows = slice(i * width, (i + 1) * width)
      weight = timm[f'{theirs}.attn.qkv.weight'][rows]
      found[f'{prefix}/{part}/kernel'] = weight.T.reshape(width, *split)
      bias = timm[f'{theirs}.attn.qkv.bias'][rows]
      found[f'{prefix}/{part}/bias'] = bias.reshape(split)
    weight = timm[f'{theirs}.attn.proj.weight']
    found[f'{prefix}/out/kernel'] = weight.T.reshape(*split, width)
    found[f'{prefix}/out/bias'] = timm[f'{theirs}.attn.proj.bias']
    for i in (1, 2):
      name = f'{ours}/MlpBlock_{mlp}/Dense_{i - 1}'
      found[f'{name}/kernel'] = timm[f'{theirs}.mlp.fc{i}.weight'].T
      found[f'{name}/bias'] = timm[f'{theirs}.mlp.fc{i}.bias']
  return found


def safetensors(arrays, **changes) -> bytes:
  """A file of float32 tensors; `changes` are entries of its table."""
  table, data = {'__metadata__': {'format': 'pt'}}, b''
  for name, array in arrays.items():
    own = np.ascontiguousarray(array).tobytes()
    kind = {'float32': 'F32', 'int64': 'I64'}[array.dtype.name]
    offsets = [len(data), len(data) + len(own)]
    shape = list(array.shape)
    table[name] = dict(dtype=kind, shape=shape, data_offsets=offsets)
    data += own
  for name, entry in changes.items():
    table[name] = {**table[name], **entry}
  header = json.dumps(table).encode()
  return struct.pack('<Q', len(header)) + header + data
