# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Better mistakes: hierarchy-aware frames for classification in JAX.

The library's packages are imported as they are first used: `import hafjax` is
fast, and `hafjax.frames.haframe(...)` works.
"""

import importlib
import types

__version__ = '0.2.0'

_PACKAGES = (
  'collapse',
  'decisions',
  'frames',
  'hierarchy',
  'losses',
  'metrics',
  'numerics',
  'plots',
  'ufm',
)
# Former names.
_ALIASES = {'pictures': 'plots'}

__all__ = ['__version__', *_PACKAGES]


def __getattr__(name: str) -> types.ModuleType:
  package = _ALIASES.get(name, name)
  if package not in _PACKAGES:
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
  return importlib.import_module(f'{__name__}.{package}')


def __dir__() -> list[str]:
  return sorted([*globals(), *_PACKAGES])
