# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What others call the parts of our backbones, and how they lay them out.

A layout's `source(backbone, path, shape)` tells where a leaf of our variables
comes from: names in the file, and a function of those arrays. A path is what
Flax has, such as ('params', 'stage1_block1', 'conv1', 'kernel').
"""

from collections.abc import Callable
import dataclasses
import functools
import math
import re
from typing import Any

import jax
import numpy as np

from hafjax.models import resnet
from hafjax.models import vgg
from hafjax.models import vit

Source = tuple[tuple[str, ...], Callable[..., np.ndarray]]


@dataclasses.dataclass(frozen=True)
class Layout:
  """How a kind of files names the tensors of a kind of backbones.

  Attributes:
    words: whose files, for messages.
    anchor: the name of a tensor that all of them have.
    prefixes: what may stand before all names of the backbone.
    own: pattern of the beginning of all names that mean the backbone, whatever
      its depth; others are a classifier's or the like.
    source: see the module.
  """

  words: str
  anchor: str
  prefixes: tuple[str, ...]
  own: str
  source: Callable[[Any, tuple[str, ...], tuple[int, ...]], Source]


# --- PyTorch -----------------------------------------------------------------

# Of data-parallel training, MoCo's query encoder, and a backbone with a head.
_TORCH_PREFIXES = (
  '',
  'module.encoder_q.',
  'module.backbone.',
  'module.',
  'backbone.',
)

# Of convolutions, dense layers, BatchNorm and LayerNorm.
_TORCH_LEAVES = {
  'kernel': 'weight',
  'scale': 'weight',
  'bias': 'bias',
  'mean': 'running_mean',
  'var': 'running_var',
}


def _torch_leaf(module: str, leaf: str) -> Source:
  """A leaf of the layer that PyTorch has as `module`."""
  return (f'{module}.{_TORCH_LEAVES[leaf]}',), (
    _input_first if leaf == 'kernel' else np.asarray
  )


def _input_first(kernel: np.ndarray) -> np.ndarray:
  """PyTorch's [out, in, ...] to Flax's [..., in, out]."""
  return np.moveaxis(kernel, (1, 0), (-2, -1))


def _torch_resnet(backbone, path, shape) -> Source:
  del backbone, shape
  module = '.'.join(path[1:-1])
  module = re.sub(
    r'stage(\d+)_block(\d+)',
    lambda match: f'layer{match[1]}.{int(match[2]) - 1}',
    module,
  )
  for ours, theirs in (
    ('shortcut_norm', 'downsample.1'),
    ('shortcut', 'downsample.0'),
    ('norm', 'bn'),
  ):
    module = module.replace(ours, theirs)
  return _torch_leaf(module, path[-1])


def _torch_vgg(backbone, path, shape) -> Source:
  del shape
  stage, kind, layer = re.fullmatch(
    r'stage(\d+)_(conv|norm)(\d+)', path[1]
  ).groups()
  # There, a list: convolution, BatchNorm and ReLU each, pooling after a stage.
  before = sum(backbone.stage_sizes[: int(stage) - 1]) + int(layer) - 1
  index = 3 * before + int(stage) - 1
  if path[-1] == 'mean':
    # Ours has no biases before BatchNorm: without them the mean is less.
    names = (f'features.{index + 1}.running_mean', f'features.{index}.bias')
    return names, lambda mean, bias: mean - bias.reshape(mean.shape)
  index += kind == 'norm'
  return _torch_leaf(f'features.{index}', path[-1])


def _timm_vit(backbone, path, shape) -> Source:
  *modules, leaf = path[1:]
  if leaf == 'class_token':
    return ('cls_token',), np.asarray
  if leaf == 'positions':
    return ('pos_embed',), lambda positions: resized(positions, shape)
  module = '.'.join(modules)
  module = re.sub(
    r'block(\d+)', lambda match: f'blocks.{int(match[1]) - 1}', module
  )
  if match := re.search(r'\.attention\.(query|key|value)$', module):
    number = ('query', 'key', 'value').index(match[1])
    name = f'{module[: match.start()]}.attn.qkv.{_TORCH_LEAVES[leaf]}'

    def part(joint):
      own = np.split(joint, 3)[number].T
      return own.reshape(*own.shape[:-1], backbone.num_heads, -1)

    return (name,), part
  for ours, theirs in (
    ('attention.out', 'attn.proj'),
    ('dense', 'mlp.fc'),
    ('embedding', 'patch_embed.proj'),
  ):
    module = module.replace(ours, theirs)
  names, function = _torch_leaf(module, leaf)
  if module.endswith('attn.proj') and leaf == 'kernel':
    return names, lambda kernel: kernel.T.reshape(
      backbone.num_heads, -1, len(kernel)
    )
  return names, function


def resized(positions: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
  """Position embeddings for another number of patches, of square images.

  Args:
    positions: of the class token and of n x n patches, [1, 1 + n * n, C].
    shape: the wanted one.

  Returns:
    Those of the patches resized by cubic interpolation; as they are where the
    shape is as wanted, or one of the two is not of a square.
  """
  old, new = (math.isqrt(max(s[1] - 1, 0)) for s in (positions.shape, shape))
  squares = old**2 + 1 == positions.shape[1] and new**2 + 1 == shape[1]
  if positions.shape == shape or not squares:
    return positions
  width = positions.shape[-1]
  grid = positions[:, 1:].reshape(old, old, width)
  grid = jax.image.resize(grid, (new, new, width), 'cubic')
  return np.concatenate(
    [positions[:, :1], np.asarray(grid).reshape(1, new * new, width)], axis=1
  )


# --- big_vision, and vit_jax before it ---------------------------------------

_JAX_PREFIXES = ('', 'params/', 'opt/target/')


def _jax_vit(parts, positions, prepare, backbone, path, shape) -> Source:
  """Names in which Flax numbered the parts of a block: versions differ."""
  del backbone
  *modules, leaf = path[1:]
  if leaf == 'class_token':
    return ('cls',), np.asarray
  if leaf == 'positions':
    return (positions,), lambda found: resized(prepare(found), shape)
  if modules == ['norm']:
    modules = ['Transformer', 'encoder_norm']
  elif modules != ['embedding']:
    block = f'encoderblock_{int(modules[0].removeprefix("block")) - 1}'
    modules = ['Transformer', block, parts[modules[1]], *modules[2:]]
  return ('/'.join([*modules, leaf]),), np.asarray


def _with_token(positions: np.ndarray) -> np.ndarray:
  """Positions of patches, and one of zero for the class token."""
  return np.concatenate([np.zeros_like(positions[:, :1]), positions], axis=1)


_vit_jax = functools.partial(
  _jax_vit,
  {
    'norm1': 'LayerNorm_0',
    'attention': 'MultiHeadDotProductAttention_1',
    'norm2': 'LayerNorm_2',
    'dense1': 'MlpBlock_3/Dense_0',
    'dense2': 'MlpBlock_3/Dense_1',
  },
  'Transformer/posembed_input/pos_embedding',
  np.asarray,
)
_big_vision = functools.partial(
  _jax_vit,
  {
    'norm1': 'LayerNorm_0',
    'attention': 'MultiHeadDotProductAttention_0',
    'norm2': 'LayerNorm_1',
    'dense1': 'MlpBlock_0/Dense_0',
    'dense2': 'MlpBlock_0/Dense_1',
  },
  'pos_embedding',
  _with_token,
)


# --- The table ---------------------------------------------------------------

_JAX_OWN = r'(embedding|cls|pos_embedding|Transformer)\b'
_JAX_ANCHOR = 'Transformer/encoderblock_0/MlpBlock_{}/Dense_0/kernel'

LAYOUTS = {
  resnet.ResNet: (
    Layout(
      "torchvision's or timm's ResNet",
      'conv1.weight',
      _TORCH_PREFIXES,
      r'(conv|bn|layer)\d',
      _torch_resnet,
    ),
  ),
  vgg.VGG: (
    Layout(
      "torchvision's or timm's VGG with BatchNorm",
      'features.0.weight',
      _TORCH_PREFIXES,
      r'features\.',
      _torch_vgg,
    ),
  ),
  vit.ViT: (
    Layout(
      "timm's ViT",
      'patch_embed.proj.weight',
      _TORCH_PREFIXES,
      r'(patch_embed|blocks|norm|fc_norm|pos_embed|(cls|dist|reg)_token)',
      _timm_vit,
    ),
    Layout(
      "vit_jax's ViT",
      _JAX_ANCHOR.format(3),
      _JAX_PREFIXES,
      _JAX_OWN,
      _vit_jax,
    ),
    Layout(
      "big_vision's ViT",
      _JAX_ANCHOR.format(0),
      _JAX_PREFIXES,
      _JAX_OWN,
      _big_vision,
    ),
  ),
}
