# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The command line: errors that users read, and those that keep a traceback."""

import pathlib
import re
import subprocess
import sys

from absl import flags
from ml_collections import config_flags
import pytest

from hafjax.cli import runner

ROOT = pathlib.Path(__file__).resolve().parents[2]


def parse(*words, file='configs/quickstart.py'):
  """The config of a command line, or absl's error."""
  arguments = ['main', f'--config={ROOT / file}', *words]
  values = flags.FlagValues()
  config_flags.DEFINE_config_file(
    'config', None, '', values, sys_argv=arguments
  )
  runner.explain_config_errors(values['config'], arguments)
  values(arguments)
  return values.config


def test_overrides_are_taken():
  config = parse(
    '--config.num_epochs=3',
    '--config.ks=(2, 3)',
    '--config.lr.backbone',
    '1',
    '--config.flip',
    '-config.level=2',
    "--config.synthetic={'noise': 0.5}",
  )
  assert config.num_epochs == 3 and config.ks == (2, 3) and config.level == 2
  assert config.lr.backbone == 1.0 and config.flip is True
  assert config.synthetic.to_dict() == {'noise': 0.5}
  assert config.is_locked
  assert parse('--noconfig.flip').flip is False


@pytest.mark.parametrize(
  'words, problems',
  [
    (
      '--config.nmu_epochs=3 --config.method.gama 2 --config.lr.x.y=1',
      [
        "no field 'nmu_epochs' .*'num_epochs'",
        "no field 'method.gama' .*'gamma'",
        "no field 'lr.x.y'",
      ],
    ),
    ('--config.seed.x=1 --config.ks[7]=1', ["'seed.x'", "'ks\\[7\\]'"]),
    (
      '--config.lr=0.001 --noconfig.flpi',
      ["'lr' is a group .*lr.backbone, .*lr.transformation", "'flpi'"],
    ),
    ('--config.ks[0]=2', ["'ks' can only be set as a whole"]),
    ('--config.collapse 3', ["'collapse' is a group .*collapse.every"]),
  ],
)
def test_all_problems_of_overrides_are_told_at_once(words, problems):
  with pytest.raises(flags.IllegalFlagValueError) as caught:
    parse(*words.split())
  sentences = str(caught.value).split('; ')
  assert len(sentences) == len(problems)
  for sentence, problem in zip(sentences, problems, strict=True):
    assert re.search(problem, sentence)
  assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
  'file, words',
  [
    ('configs/quickstrt.py', 'there is no file .*configs/quickstrt.py'),
    ('configs/quickstart.py:haframme', "no variant 'haframme'; there are "),
  ],
)
def test_configs_that_there_are_not(file, words):
  with pytest.raises(flags.IllegalFlagValueError, match=words) as caught:
    parse(file=file)
  assert '\n' not in str(caught.value)


def test_a_config_file_runs_once_and_its_bugs_keep_their_traceback(tmp_path):
  (tmp_path / 'config.py').write_text(
    'import pathlib\n'
    'from ml_collections import config_dict\n'
    'def get_config(variant):\n'
    f'  with open({str(tmp_path / "count")!r}, "a") as file:\n'
    '    file.write("x")\n'
    '  return config_dict.create(x=1 / int(variant))\n'
  )
  file = f'{tmp_path}/config.py'
  assert parse('--config.x=2.5', file=f'{file}:1').x == 2.5
  assert (tmp_path / 'count').read_text() == 'x'
  with pytest.raises(ZeroDivisionError):
    parse(file=f'{file}:0')
  with pytest.raises(
    flags.IllegalFlagValueError, match='line 6, in get_config'
  ):
    parse(file=f'{file}:none')


def command(*words: str):
  return subprocess.run(
    [sys.executable, *words],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=False,
  )


RAISE = """
import sys
from hafjax.cli import runner
from hafjax.errors import UserError

error = {'user': UserError, 'bug': ValueError}[sys.argv.pop()]

def work():
  raise error('Do this instead.')

runner.run(work)
"""


def test_users_errors_are_a_sentence_and_bugs_a_traceback():
  ended = command('-c', RAISE, 'user')
  assert ended.returncode == 1
  assert ended.stderr.splitlines()[-1].endswith('] Do this instead.')
  assert 'Traceback' not in ended.stderr
  ended = command('-c', RAISE, 'bug')
  assert ended.returncode == 1
  assert 'Traceback' in ended.stderr
  assert 'ValueError: Do this instead.' in ended.stderr


def test_main_explains_itself_and_its_config():
  ended = command('-m', 'hafjax.main', '--help')
  for words in ('configs/quickstart.py', '--config:', '--workdir:'):
    assert words in ended.stdout
  ended = command(
    '-m',
    'hafjax.main',
    '--config=configs/quickstart.py',
    '--workdir=nowhere',
    '--config.lr=0.001',
  )
  assert ended.returncode == 1
  assert "'lr' is a group of fields" in ended.stderr
  assert 'Traceback' not in ended.stderr
