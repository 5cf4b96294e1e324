import os
import signal

from hypothesis import given
from hypothesis import strategies as st
import pytest

from experiments.common.cli import UserError
from experiments.imdb import tokenizer
from experiments.imdb.sample import sample
from experiments.imdb.tokenizer import tokenize


@pytest.mark.parametrize('text, tokens', [
    # Unlike in NLTK's word tokenizer, full stops inside a text are split off.
    ('It is good. I like it.', 'It is good . I like it .'),
    ('It is good.I like it!Do you?Yes.',
     'It is good . I like it ! Do you ? Yes .'),
    ('Good.<br /><br />film<br>or<BR/>not', 'Good . film or not'),
    ("I can't say he's good", "I ca n't say he 's good"),
    ('"good" ``bad\'\'', '" good " " bad "'),
    ('Mr. Lee and Dr. No, i.e. two.', 'Mr. Lee and Dr. No , i.e. two .'),
    ('The film, 3.5 stars (of 10).', 'The film , 3.5 stars ( of 10 ) .'),
    ('Wait... what', 'Wait ... what'),
    ('<unk>', '< unk >'),  # a text never yields the token <unk>
])
def test_tokens(text, tokens):
    assert tokenize(text) == tokens.split()


@given(st.text(st.characters(exclude_characters='<"`\'',
                             exclude_categories=['Cs'])))
def test_changes_only_spaces(text):
    assert ''.join(tokenize(text)) == ''.join(text.split())


class TestProcesses:
    """Tests of worker processes; some tests run ``exec`` in the workers."""

    @pytest.fixture(autouse=True)
    def processes(self, monkeypatch):
        monkeypatch.setattr(tokenizer, '_MANY', 1)
        monkeypatch.setattr(os, 'sched_getaffinity', lambda process: {0, 1})

    def test_same_as_a_single_process(self, monkeypatch):
        texts = [text for text, _ in sample(150, 1)['train']]
        assert list(tokenizer._map(tokenize, texts)) == list(
            map(tokenize, texts))

    def test_killed_while_tokenizing(self):
        """An error is raised if a worker is killed, e.g. by the OOM killer."""
        with pytest.raises(UserError, match='tokenized reviews was killed'):
            list(tokenizer._map(exec, [
                'import os; os.kill(os.getpid(), 9)']))

    def test_tokenizing_ends_with_the_program(self, python, tmp_path):
        """Worker processes end even if the program is killed."""
        fifo = tmp_path / 'fifo'
        os.mkfifo(fifo)
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        process = python('-c', '''if True:
            import os, sys
            from experiments.imdb import tokenizer

            for stream in 1, 2:  # the test waits until these are closed
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
            tokenizer._MANY = 1
            os.sched_getaffinity = lambda process: {0, 1}
            list(tokenizer._map(exec, [f"""if True:
                import os, signal
                f = open({sys.argv[1]!r}, 'w')
                print('started', file=f, flush=True)
                os.kill({os.getpid()}, signal.SIGKILL)
                signal.pause()
            """]))
        ''', fifo)
        assert process.returncode == -signal.SIGKILL
        os.set_blocking(reader, True)
        with open(reader) as f:  # read until all workers have ended
            assert f.read() == 'started\n'
