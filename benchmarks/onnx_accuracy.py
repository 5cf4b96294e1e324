"""Accuracy of trained models exported in float32 and int8."""
import os
import subprocess
import sys

import numpy

from benchmarks.onnx_models import is_available
from benchmarks.onnx_models import load_session
from benchmarks.registry import benchmark
from benchmarks.registry import Measurement
from experiments.common import exporting
from experiments.imdb import data as imdb_data
from experiments.imdb import export as imdb_export
from experiments.imdb import model as imdb_model
from experiments.iwslt import data as iwslt_data
from experiments.iwslt import export as iwslt_export
from experiments.iwslt import model as iwslt_model
from experiments.iwslt.beam import length_limit
from experiments.iwslt.score import bleu
from experiments.ptb import data as ptb_data
from experiments.ptb import export as ptb_export
from experiments.ptb import model as ptb_model


@benchmark('onnx-accuracy')
def onnx_accuracy(device, folder='out/onnx-accuracy',
                  options=('--config', 'small')):
    """Accuracy of models exported in float32 and int8.

    ``folder`` contains a trained model for each experiment. A missing model
    is trained on the embedded sample with ``options``. To evaluate your own
    model, copy its output folder to ``imdb``, ``ptb`` or ``iwslt`` in
    ``folder``.
    """
    if not is_available(device):
        return
    for name, load in (('imdb', _classifier), ('ptb', _language_model),
                       ('iwslt', _translator)):
        path = os.path.join(folder, name)
        if not os.path.exists(os.path.join(path, 'result.json')):
            subprocess.run(
                [sys.executable, '-m', f'experiments.{name}.train',
                 '--overwrite', '--out', path, *options], check=True)
        source, measure, models, score = load(path)
        values = {}
        for form, convert in (('float32', lambda model: model),
                              ('int8', exporting.quantize)):
            converted = [convert(model) for model in models]
            values[f'{measure}, {form}'] = score(
                *map(load_session, converted))
            values[f'megabytes, {form}'] = sum(
                model.ByteSize() for model in converted) / 1e6
        yield Measurement({'model': name, 'data': source}, values)


def _classifier(folder):
    """Load a classifier, export it and prepare its evaluation.

    Return the source of the data, the name of the metric, a list of exported
    models, and a function that computes the metric. The arguments of the
    function are onnxruntime sessions, one for each exported model.
    """
    model, description = imdb_model.load(folder)
    source = description['data']['source']
    reviews = imdb_data.load(source, number=model.number).test

    def accuracy(session):
        n_correct = 0
        for i in range(len(reviews)):
            words, label = reviews[i]
            if len(words):
                logit, = session.run(['logit'], {
                    'words': numpy.array([words], 'i8'),
                    'lengths': numpy.array([len(words)])})
                n_correct += (logit[0] >= 0) == (label == 1)
        return 100 * float(n_correct) / len(reviews)

    return source, 'accuracy', [imdb_export.export(
        model, description['words'])], accuracy


def _language_model(folder):
    model, description = ptb_model.load(folder)
    source, words = description['data']['source'], description['words']
    corpus = ptb_data.load(source, words)
    targets = corpus.test
    inputs = numpy.concatenate(([corpus.eos], targets[:-1])).astype('i8')

    def perplexity(session, n_steps=500):
        names = [output.name for output in session.get_outputs()]
        state, losses = {}, []
        for start in range(0, len(inputs), n_steps):
            steps = slice(start, start + n_steps)
            outputs = dict(zip(names, session.run(
                names, {'words': inputs[None, steps], **state})))
            logits = outputs.pop('logits')[0].astype('d')
            logits -= logits.max(axis=1, keepdims=True)
            losses.append(
                numpy.log(numpy.exp(logits).sum(axis=1))
                - logits[numpy.arange(len(logits)), targets[steps]])
            state = {name.removeprefix('next_'): array
                     for name, array in outputs.items()}
        return float(numpy.exp(numpy.concatenate(losses).mean()))

    return source, 'perplexity', [ptb_export.export(model, words)], perplexity


def _translator(folder):
    model, characters, description = iwslt_model.load(folder)
    source, settings = description['data']['source'], description['settings']
    pairs = iwslt_data.load(
        source, settings['max_length'], characters=characters).pairs['test']
    exported = iwslt_export.export(model, characters, settings)

    def greedy_bleu(encoder, decoder):
        return bleu(
            [_translate(encoder, decoder, characters, german) if german
             else '' for german, _ in pairs],
            [english for _, english in pairs])

    return source, 'BLEU (greedy)', [
        exported['-encoder'], exported['-decoder']], greedy_bleu


def _translate(encoder, decoder, characters, line):
    """Return the greedy translation of a line."""
    inputs = {'lengths': numpy.array([len(line)])}
    names = [output.name for output in encoder.get_outputs()]
    inputs.update(zip(names, encoder.run(names, {
        'source': characters.source(line)[None].astype('i8'), **inputs})))
    names = [output.name for output in decoder.get_outputs()]
    numbers = [characters.eos]
    for _ in range(length_limit(len(line)) - 1):
        outputs = dict(zip(names, decoder.run(
            names, {'target': numpy.array(numbers[-1:]), **inputs})))
        numbers.append(int(outputs.pop('log_probability').argmax()))
        if numbers[-1] == characters.eos:
            break
        inputs.update((name.removeprefix('next_'), array)
                      for name, array in outputs.items())
    return characters.text(numbers[1:])
