import numpy

from experiments.ptb import generate
from experiments.ptb import grammar


def text(capsys, *arguments):
    generate.main(list(map(str, arguments)))
    return capsys.readouterr().out


def test_generate(trained, capsys):
    out = text(capsys, '--model', trained[0], '--words', 200)
    words = out.split()
    vocabulary = {word for words in grammar.sample()['train']
                  for word in words}
    assert set(words) <= vocabulary
    # Each sentence is a line; the last sentence may be incomplete.
    n_lines = out.count('\n')
    assert n_lines > 5
    assert 200 <= len(words) + n_lines <= 201
    assert ' \n' not in out and '\n ' not in out and '  ' not in out


def test_seed(trained, capsys):
    texts = [text(capsys, '-m', trained[0], '--words', 50, '--seed', seed)
             for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


def test_prompt_and_temperature(trained, capsys):
    texts = [text(capsys, '-m', trained[0], '--words', 12, '--seed', seed,
                  '--temperature', 0, '--prompt', 'yesterday anna')
             for seed in (1, 2)]
    assert texts[0] == texts[1]
    words = texts[0].split()
    assert words[:2] == ['yesterday', 'anna'] and len(words) > 10


def test_speed_on_a_terminal(trained, capsys, monkeypatch):
    monkeypatch.setattr('sys.stderr.isatty', lambda: True)
    generate.main(['-m', trained[0], '--words', '5'])
    assert capsys.readouterr().err.startswith('5 words in ')


def test_unknown_prompt(trained, error_of):
    assert 'does not know nonsense' in error_of(
        generate.main, '-m', trained[0], '--prompt', 'the nonsense')


def test_words_read_as_unknown(monkeypatch, trained, capsys):
    """A warning lists the words that are read as ``<unk>``."""
    model, description = generate.load(trained[0])
    words = description['words']
    words[-1] = '<unk>'
    monkeypatch.setattr(
        generate, 'load', lambda folder: (model, description))
    generate.main(['-m', trained[0], '--words', '1', '--prompt',
                   'The sailor zzz'])
    out, err = capsys.readouterr()
    assert out.startswith('The sailor zzz ')
    assert err == ('warning: the model does not know The, zzz, read as '
                   '<unk>\n')


def test_lines_of_a_prompt(trained, capsys, monkeypatch):
    """A line feed in the prompt is converted to ``<eos>``."""
    prompts = []
    monkeypatch.setattr(
        generate, 'generate', lambda model, prompt, eos, *_: (
            prompts.append([word == eos for word in prompt]), [eos + 1])[1])
    for prompt, expected in ('the sailor\nthe', 'the sailor\nthe '), (
            'the sailor\n', 'the sailor\n'):
        out = text(capsys, '-m', trained[0], '--prompt', prompt)
        assert out.startswith(expected) and not out[len(expected):].startswith(
            ' ')
    assert prompts == [[False, False, True, False], [False, False, True]]


def test_invalid_numbers(trained, error_of):
    for arguments in ['--words', '0'], ['--temperature', '-1']:
        assert 'number from' in error_of(
            generate.main, '-m', trained[0], *arguments)


def test_words_are_written_one_by_one(trained, monkeypatch):
    written = []
    monkeypatch.setattr(
        generate, '_write', lambda text: text and written.append(text))
    seen = []
    draw = generate._draw
    monkeypatch.setattr(generate, '_draw', lambda *arguments: (
        seen.append(len(written)), draw(*arguments))[1])
    generate.main(['-m', trained[0], '--words', '5'])
    assert seen == [0, 1, 2, 3, 4]


def test_draw():
    score = numpy.log(numpy.array([.1, .6, .3], 'f'))
    random = numpy.random.RandomState(0)
    counts = numpy.bincount(
        [generate._draw(score, 1., random) for _ in range(5000)])
    numpy.testing.assert_allclose(counts / 5000., [.1, .6, .3], atol=.03)
    assert generate._draw(score, 0., random) == 1
