# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Damages files by what code they reach, for as long as wanted.

    python -m tests.fuzz --format=idx --seconds=60

Each format (`--format=all` for one after the other, or names separated by
commas) starts from valid files, see `tests.fuzz.targets`. A file whose reading
ends otherwise than in a sound result or one sentence is kept in --output. Needs
atheris (pip install atheris), which the tests do not: they damage files at
random.
"""

import argparse
import importlib.util
import logging as python_logging
import multiprocessing
import os
import pathlib
import re
import sys
import tempfile

from absl import logging
from absl.flags import argparse_flags

from hafjax.cli import runner
from hafjax.errors import UserError

_TORCH = ('torch.serialization', 'torch._weights_only_unpickler')
# What is watched: our readers, and those parts of others that are in Python.
_WATCHED = ('hafjax', 'zipfile', 'gzip', 'json', 'numpy.lib', 'PIL', *_TORCH)
_SLOWEST_SECONDS = 20
_MEMORY_MB = 4096


class FuzzError(UserError):
  """Nothing that can be fuzzed, or what fuzzing found."""


def parse(argv: list[str]) -> argparse.Namespace:
  """The command line, without the program, as arguments."""
  parser = argparse_flags.ArgumentParser(prog='python -m tests.fuzz')
  parser.add_argument('--format', default='all', help="names, or 'all'")
  parser.add_argument('--seconds', type=int, default=60, help='of each format')
  parser.add_argument(
    '--output',
    type=pathlib.Path,
    default=pathlib.Path('/tmp/hafjax/fuzz'),
    help='a folder for what is found (default: %(default)s)',
  )
  return parser.parse_args(argv)


def main(args: argparse.Namespace):
  """Fuzzes the formats one after the other, and tells what came out."""
  if importlib.util.find_spec('atheris') is None:
    raise FuzzError('atheris is not installed: pip install atheris.')
  os.environ.setdefault('JAX_PLATFORMS', 'cpu')
  import atheris

  with atheris.instrument_imports(include=list(_WATCHED)):
    from tests.fuzz import targets as fuzzing
  names = fuzzing.FORMATS if args.format == 'all' else args.format.split(',')
  strange = [name for name in names if name not in fuzzing.FORMATS]
  if strange:
    raise FuzzError(
      f'{", ".join(strange)}: formats are {", ".join(fuzzing.FORMATS)}.'
    )
  args.output.mkdir(parents=True, exist_ok=True)
  bad = [name for name in names if not _is_sound(name, args)]
  if bad:
    raise FuzzError(
      f'Not sound: {", ".join(bad)}. What libFuzzer said, and the files, are '
      f'in {args.output}.'
    )


def _is_sound(name: str, args: argparse.Namespace) -> bool:
  """Fuzzes a format in a process of its own, which libFuzzer ends."""
  log = args.output / f'{name}.log'
  # Files that were refused, and that were read.
  counts = multiprocessing.Array('q', 2, lock=False)
  child = os.fork()
  if not child:
    stream = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(stream, 1)
    os.dup2(stream, 2)
    _fuzz(name, args.seconds, args.output, counts)
  _, status = os.waitpid(child, 0)
  places = re.findall(r' cov: (\d+)', log.read_text(errors='replace'))
  logging.info(
    '%s: %s files, %s of them sound, %s refused; %s places in the code%s.',
    name,
    *(f'{count:,}' for count in (sum(counts), counts[True], counts[False])),
    places[-1] if places else 'no',
    ', AND A FAILURE' if status else '',
  )
  return not status


def _fuzz(name: str, seconds: int, output: pathlib.Path, counts):
  """Fuzzes one format; does not return."""
  import atheris

  from tests.fuzz import targets as fuzzing

  # Readers warn of what they leave out.
  python_logging.disable(python_logging.CRITICAL)
  target = fuzzing.target(name)
  folder = pathlib.Path(tempfile.mkdtemp(prefix='fuzz_'))
  files, corpus, words = folder / 'files', folder / 'corpus', folder / 'words'
  files.mkdir()
  corpus.mkdir()
  for number, content in enumerate(target.valid):
    (corpus / str(number)).write_bytes(content)
  words.write_text(''.join(map(_word, fuzzing.PIECES[target.kind])))

  def read(content: bytes):
    counts[fuzzing.check(target, files, content)] += 1

  arguments = [
    f'-max_total_time={seconds}',
    f'-timeout={_SLOWEST_SECONDS}',
    f'-rss_limit_mb={_MEMORY_MB}',
    f'-dict={words}',
    f'-artifact_prefix={output}/{name}_',
    str(corpus),
  ]
  atheris.Setup([sys.argv[0], *arguments], read)
  atheris.Fuzz()


def _word(piece: bytes) -> str:
  """A line of libFuzzer's dictionaries, whose words are short."""
  escaped = ''.join(f'\\x{byte:02x}' for byte in piece[:64])
  return f'"{escaped}"\n' if piece else ''


if __name__ == '__main__':
  runner.run(main, parse)
