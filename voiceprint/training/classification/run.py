"""A classification run of an encoder: its clips, the recipe made fit for them, and its checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from voiceprint.classification import EncoderClassifier, Head
from voiceprint.corpus import Corpus, read_manifest, write_manifest
from voiceprint.corpus.splits import ClipSplit, read_people, split_clips
from voiceprint.errors import ConfigError, CorpusError, TrainingError
from voiceprint.training.classification.suite import AccuracySuite, torch_encode
from voiceprint.training.data.batches import ClipBatches, SpeakerBatches
from voiceprint.training.export.from_run import Checkpoint, TrainedEncoder, load_encoder
from voiceprint.training.losses import CombinedLoss
from voiceprint.training.losses.config import CLASSIFIERS
from voiceprint.training.run.callbacks import Callbacks
from voiceprint.training.run.checkpoint import load_into, read_checkpoint
from voiceprint.training.run.launch import Outcome, train
from voiceprint.training.run.recipe import Recipe, read_saved_recipe
from voiceprint.training.run.task import Task, read_noise

CLIPS_FILE = "clips.csv"
"""The manifest, in a run's folder, of the clips it was trained and measured on, with their splits."""


def read_clips(source: Path, *, split: ClipSplit | None = None, seed: int = 43) -> Corpus:
    """Read the clips of named people, split so that everybody is everywhere.

    Parameters
    ----------
    source : Path
        A folder with a folder of clips for each speaker, or a manifest, or a folder that holds one.
    split : {"random", "blocks", "manifest"}, optional
        As for `split_clips`; by default the manifest's splits, or blocks where it has none.
    seed : int
        Of ``random``.

    Raises
    ------
    CorpusError
        There are no clips, they cannot be read, or are of one speaker; or somebody lacks clips to train on or
        for dev.
    """
    corpus = read_people(source)
    own = {"train", "dev"} <= set(corpus.splits)
    return split_clips(corpus, split or ("manifest" if own else "blocks"), seed=seed)


def class_names(corpus: Corpus) -> tuple[str, ...]:
    """The speakers of one corpus in the order of the classes."""
    return tuple(dict.fromkeys(corpus[of[0]].speaker for of in corpus.by_speaker.values()))


def classification_task(recipe: Recipe, corpus: Corpus, corpora: Path) -> Task:
    """To name the speakers of ``corpus``: learn from its train clips, be measured on its dev clips.

    Raises
    ------
    ConfigError
        The recipe is no classifier of single voices.
    CorpusError
        The noise that the recipe names is not below ``corpora``, or too much of it cannot be read.
    """
    _require_classifier(recipe)
    dev, names = corpus.filter(split="dev"), class_names(corpus)
    noise = read_noise(recipe, corpora)
    return Task(
        speech=corpus.filter(split="train"),
        noise=noise,
        suite=lambda loss: AccuracySuite(dev, names, loss, seconds=recipe.batches.seconds[1]),
        unreadable=noise.unreadable,
        begin=partial(_keep_clips, corpus),
    )


def train_classifier(
    recipe: Recipe,
    corpus: Corpus,
    *,
    corpora: Path,
    folder: Path,
    resume: bool = False,
    init: Path | None = None,
    device: str = "cpu",
    callbacks: Callbacks | None = None,
) -> Outcome:
    """Train a recipe to name the speakers of a corpus.

    Parameters
    ----------
    recipe : Recipe
        With a loss that classifies. Of its ``[data]`` the noise alone is used, and voices are not changed.
        Where it draws P speakers x K utterances, as many clips of anybody take their place.
    corpora : Path
        Root of the corpus of noise.
    folder : Path
        The run; decoded speech goes beside it, shared by the runs on the same clips.
    resume, init, device, callbacks
        As for `voiceprint.training.run.launch.train`.

    Raises
    ------
    ConfigError
        The recipe does not classify, or is not the one that the run was begun with.
    CorpusError
        The run was begun with other clips or another split; or clips cannot be read.
    TrainingError
        As for `voiceprint.training.run.launch.train`.
    """
    recipe = _for_named_people(recipe)
    task = classification_task(recipe, corpus, corpora)
    if (folder / "recipe.json").exists():
        read_saved_recipe(folder)  # refuses the run of a classic system
    return train(
        recipe,
        corpora=corpora,
        pool=folder.parent / f"pool-{task.speech.fingerprint[:12]}",
        folder=folder,
        task=task,
        resume=resume,
        init=init,
        device=device,
        callbacks=callbacks,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedClassifier(TrainedEncoder):
    """What a checkpoint of a classification run holds."""

    head: Head
    names: tuple[str, ...]

    @property
    def seconds(self) -> float:
        """The longest crop in training."""
        return self.recipe.batches.seconds[1]

    def classifier(self) -> EncoderClassifier:
        """The classifier, run by torch."""
        return EncoderClassifier(
            encode=torch_encode(self.encoder), head=self.head, names=self.names, seconds=self.seconds
        )

    @property
    def parameters(self) -> int:
        """Numbers that were learned, the head's among them."""
        return sum(p.numel() for p in self.encoder.parameters()) + self.head.size


def load_classifier(run: Path, *, checkpoint: Checkpoint = "best") -> TrainedClassifier:
    """Load encoder and head of a run.

    Parameters
    ----------
    run : Path
        The run's folder; a run that is going on may be read.
    checkpoint : {"best", "last"}
        That of the highest dev accuracy, or the newest.

    Raises
    ------
    ConfigError, TrainingError
        As for `voiceprint.training.export.from_run.load_encoder`; or the run is none of a classifier.
    """
    trained = load_encoder(run, checkpoint=checkpoint)
    names = class_names(read_run_clips(run))
    path = run / "checkpoints" / f"{checkpoint}.safetensors"
    tensors, _ = read_checkpoint(path)
    loss = CombinedLoss(trained.recipe.loss, dim=trained.recipe.encoder.dim, n_classes=len(names), seed=0)
    load_into(loss, tensors, prefix="average_loss.", path=path)
    return TrainedClassifier(
        encoder=trained.encoder, head=loss.head(), names=names, recipe=trained.recipe, step=trained.step
    )


def read_run_clips(run: Path) -> Corpus:
    """The clips that a run was begun with, and their splits.

    Raises
    ------
    TrainingError
        The folder is no run of ``voiceprint classify train``.
    """
    if not (run / CLIPS_FILE).exists():
        raise TrainingError(f"{run}: is no run of voiceprint classify train: it holds no {CLIPS_FILE}")
    return read_manifest(run / CLIPS_FILE)


def require_out_of_set(corpus: Corpus, names: Sequence[str]) -> None:
    """Refuse out-of-set clips of the people who are to be named.

    Raises
    ------
    CorpusError
        A speaker is one of them.
    """
    known = sorted({u.speaker for u in corpus} & set(names))
    if known:
        raise CorpusError(
            f"{known[0]!r} is one of the people to be named; out-of-set clips are of others only"
        )


def _require_classifier(recipe: Recipe) -> None:
    names = [loss.name for loss in recipe.loss]
    if not set(names) & set(CLASSIFIERS):
        raise ConfigError(
            f"[[loss]]: the recipe trains {', '.join(names)}, none of which classifies; take a recipe with "
            'softmax, such as configs/five-speakers.toml, or loss = [{name="softmax"}]'
        )
    if "distillation" in names:
        raise ConfigError(
            "[[loss]]: distillation needs a teacher, and classify has none; leave it out with "
            'loss = [{name="softmax"}]'
        )


def _for_named_people(recipe: Recipe) -> Recipe:
    """Drop what a recipe for verification asks for and a few named people do not have.

    A voice played faster is a further speaker, who is not to be named; P speakers may be more than there are.
    """
    batches = recipe.batches
    if isinstance(batches, SpeakerBatches):
        batches = ClipBatches(
            size=batches.speakers * batches.utterances, seconds=batches.seconds, workers=batches.workers
        )
    return replace(recipe, data=replace(recipe.data, voices=()), batches=batches)


def _keep_clips(corpus: Corpus, folder: Path) -> None:
    """Write down which clips a run uses; refuse to go on with others."""
    if not (folder / CLIPS_FILE).exists() and not (folder / "checkpoints").exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_manifest(corpus, folder / CLIPS_FILE)
        return
    before = {(u.speaker, u.id): u.split for u in read_run_clips(folder)}
    now = {(u.speaker, u.id): u.split for u in corpus}
    if before != now:
        changed = sum(before.get(key) != now.get(key) for key in before | now)
        raise CorpusError(
            f"{folder}: the run was begun with other clips or another split ({changed} clips differ); "
            "give it the same clips, split and seed, or another folder"
        )
