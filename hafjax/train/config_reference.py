# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Reference page of the config: `python -m hafjax.train.config_reference`."""

from collections.abc import Iterator

from hafjax import data
from hafjax import methods
from hafjax.plugins.fields import Field
from hafjax.train import config

_INTRODUCTION = """# Config fields

Made by `python -m hafjax.train.config_reference > docs/config.md` from
`hafjax/train/config.py`, the data sets' files and the methods' files. Set them
by `--config.FIELD=VALUE`. A run with another value of a field is another run,
but for fields marked *free*, which may change while a run goes on.

"""


def _row(name: str, field: Field) -> str:
  free = '' if field.binds else ' *Free.*'
  words = field.check.words.replace('|', '\\|')
  doc = field.doc.replace('|', '\\|')
  return f'| `{name}` | `{field.default!r}` | {doc}{free} | {words} |'


def _table(fields, prefix: str = '') -> Iterator[str]:
  yield '| field | default | meaning | must be |'
  yield '|---|---|---|---|'
  for name, field in config.flat_fields(fields, prefix):
    yield _row(name, field)
  yield ''


def reference_page() -> str:
  """The page, in Markdown."""
  lines = [*_table(config.FIELDS)]
  for name in data.names():
    spec = data.spec(name)
    if spec.group:
      lines += [f'## Data set `{name}`', '']
      lines += _table(spec.fields, f'{spec.group}.')
  lines += [
    '## Variants',
    '',
    'What follows the colon in `--config=FILE:NAME`.',
  ]
  lines += ['', '| variant | method | parameters | other fields |']
  lines += ['|---|---|---|---|']
  for name, variant in methods.variants().items():
    parameters = methods.defaults(variant.method) | dict(variant.parameters)
    cells = (
      ', '.join(f'`{k}={v!r}`' for k, v in values.items())
      for values in (parameters, variant.fields)
    )
    lines.append(f'| `{name}` | `{variant.method}` | {" | ".join(cells)} |')
  return _INTRODUCTION + '\n'.join(lines) + '\n'


if __name__ == '__main__':
  print(reference_page(), end='')
