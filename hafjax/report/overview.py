# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What was run: the facts above the sections."""

from hafjax.report import context as context_lib
from hafjax.report import markup


def _flat(config: dict, prefix: str = '') -> dict[str, str]:
  """Fields of a config by their dotted names."""
  found = {}
  for key, value in config.items():
    if isinstance(value, dict):
      found |= _flat(value, f'{prefix}{key}.')
    else:
      found[prefix + key] = str(value)
  return found


def facts(context: context_lib.Context) -> str:
  """What was run, and what is not the same everywhere."""
  tree = context.hierarchy
  configs = {
    name: [_flat(run.record['config']) for run in group]
    for name, group in context.methods.items()
  }
  flat = [config for group in configs.values() for config in group]
  rows = [
    ['classes', f'{tree.num_classes:,} in a tree of height {tree.height}'],
    ['methods', f'{len(configs)}'],
    ['runs', f'{len(flat)}'],
  ]
  for key in ('dataset', 'model', 'num_epochs', 'batch_size'):
    values = sorted({config.get(key, 'unknown') for config in flat})
    rows.append([key.replace('_', ' ').removeprefix('num '), ', '.join(values)])
  mixed = [
    (name, key)
    for name, group in configs.items()
    for key in group[0]
    if key != 'seed' and len({config.get(key, 'None') for config in group}) > 1
  ]
  warning = ''
  if mixed:
    name, key = mixed[0]
    warning = (
      f'<strong>The runs of {markup.text(name)} are not the same but for their '
      f'seeds: they differ in {markup.code(key)}.</strong> Their mean is of '
      'different things.'
    )
  differing = _differing(configs)
  more = ''
  if differing:
    more = markup.details(
      f'What else differs between the methods ({len(differing)})',
      markup.table(['field', 'values'], differing, 'words'),
    )
  facts_list = ''.join(
    f'<div><dt>{markup.text(key)}</dt><dd>{markup.text(value)}</dd></div>'
    for key, value in rows
  )
  return (
    f'<dl class="facts">{facts_list}</dl>\n{context_lib.note(warning)}{more}'
  )


def _differing(configs) -> list[list[str]]:
  """A row a field: its values, each with the methods that have it."""
  rows = []
  keys = dict.fromkeys(key for group in configs.values() for key in group[0])
  for key in keys:
    if key in ('variant', 'seed') or key.startswith('method.'):
      continue
    names = {}
    for name, group in configs.items():
      names.setdefault(group[0].get(key, 'None'), []).append(name)
    if len(names) > 1:
      values = (
        f'<b>{markup.text(value)}</b> ({markup.text(", ".join(who))})'
        for value, who in names.items()
      )
      rows.append([markup.text(key), '; '.join(values)])
  return rows
