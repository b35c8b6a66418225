# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Collapse under deep linear layers: the theory of hafjax.ufm, and searches.

    python -m experiments.deep_linear [--parts=layers,decay]

Each part writes a table into deep_linear.md and pictures deep_linear_*.png, in
experiments/results unless --output says otherwise; parts that are not asked for
keep theirs.

  layers: measures of collapse at every layer on the way to the minimum, at
    depths 1 to 9, balanced and imbalanced (the synthetic figures of Dang et
    al., ICML 2023, arXiv 2301.00437)
  widths: layers that are narrower than there are classes
  pairs: cross-entropy from depth 2 on, where pairs of antipodal classes are
    often lower than the simplex ETF
  root: where the published prediction is higher than doing nothing
  decay: singular values as the decay grows, class after class to zero
  frames: which losses draw features onto the rows of a fixed frame
  speed: 100 settings x 8 starts in one call, and in a loop
  networks: the same measures of real networks on Fashion-MNIST, by epoch, and
    lengths under a long tail; runs are kept, and go on, in the temporary folder
"""

import argparse
from collections.abc import Callable, Sequence
import os
import pathlib
import re

from absl import logging
from absl.flags import argparse_flags
import jax

from experiments.deep_linear import common
from experiments.deep_linear import decay
from experiments.deep_linear import fixed
from experiments.deep_linear import layers
from experiments.deep_linear import networks
from experiments.deep_linear import pairs
from experiments.deep_linear import root
from experiments.deep_linear import speed
from experiments.deep_linear import widths
from hafjax.cli import runner
from hafjax.errors import UserError
from hafjax.runs import tables

# Of pictures in a README.
_DPI = 85


class DeepLinearError(UserError):
  """A part that does not exist."""


PARTS: dict[str, Callable[[], common.Part]] = {
  'layers': layers.part,
  'widths': widths.part,
  'pairs': pairs.part,
  'root': root.part,
  'decay': decay.part,
  'frames': fixed.part,
  'speed': speed.part,
  'networks': networks.part,
}


def section(name, part: common.Part, wall) -> str:
  """A part as Markdown."""
  table = tables.markdown_table(part.header.split(','), part.rows)
  files = [picture_name(name, end) for end in part.figures]
  return '\n\n'.join(
    [
      f'## {name}',
      f'`python -m experiments.deep_linear --parts={name}`: {wall:.0f} s on '
      f'{os.cpu_count()} CPU cores, JAX {jax.__version__}. {part.text}',
      table,
      '\n'.join(f'![{name}]({file})' for file in files),
    ]
  )


def picture_name(name, end) -> str:
  return '_'.join(filter(None, ['deep_linear', name, end])) + '.png'


def with_section(page: str, name: str, text: str) -> str:
  """The page with a part's section in place of its old one, in their order."""
  found = dict(re.findall(r'^## (\w+)\n(.*?)(?=^## |\Z)', page, re.M | re.S))
  sections = {old: f'## {old}\n\n{rest.strip()}' for old, rest in found.items()}
  sections[name] = text
  head = '# Collapse under deep linear layers'
  ordered = [sections[part] for part in PARTS if part in sections]
  return '\n\n'.join([head, *ordered]) + '\n'


def check_parts(names: Sequence[str]):
  """Raises an error for people if there is no such part."""
  unknown = [name for name in names if name not in PARTS]
  if unknown:
    raise DeepLinearError(
      f'There is no part {unknown[0]!r}: choose among {", ".join(PARTS)}.'
    )


def write(folder: pathlib.Path, name: str, part: common.Part, wall: float):
  """Puts a part's table and pictures among those of the others."""
  for end, figure in part.figures.items():
    figure.savefig(folder / picture_name(name, end), dpi=_DPI)
  page = folder / 'deep_linear.md'
  old = page.read_text() if page.exists() else ''
  page.write_text(with_section(old, name, section(name, part, wall)))


def parse(argv: list[str]) -> argparse.Namespace:
  """The command line, without the program, as arguments."""
  parser = argparse_flags.ArgumentParser(
    prog='python -m experiments.deep_linear'
  )
  parser.add_argument(
    '--parts',
    type=lambda value: value.split(','),
    default=list(PARTS),
    help='which parts, by commas (default: all)',
  )
  parser.add_argument(
    '--output',
    type=pathlib.Path,
    default=pathlib.Path('experiments/results'),
    help='where to write (default: %(default)s)',
  )
  return parser.parse_args(argv)


def main(args: argparse.Namespace):
  names, folder = args.parts, args.output
  check_parts(names)
  folder.mkdir(parents=True, exist_ok=True)
  for number, name in enumerate(names, 1):
    logging.info('Part %d of %d: %s.', number, len(names), name)
    wall, part = common.seconds(PARTS[name])
    write(folder, name, part, wall)
    logging.info('Part %s took %.0f s.', name, wall)
  logging.info('Saved in %s.', folder)


if __name__ == '__main__':
  runner.run(main, parse)
