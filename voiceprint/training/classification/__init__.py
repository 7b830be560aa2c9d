"""Training a closed-set classifier of named people, with any recipe that has a head."""

from voiceprint.training.classification.export import export_classifier
from voiceprint.training.classification.run import (
    CLIPS_FILE,
    TrainedClassifier,
    class_names,
    classification_task,
    load_classifier,
    read_clips,
    read_run_clips,
    train_classifier,
)
from voiceprint.training.classification.suite import AccuracySuite, torch_encode

__all__ = [
    "CLIPS_FILE",
    "AccuracySuite",
    "TrainedClassifier",
    "class_names",
    "classification_task",
    "export_classifier",
    "load_classifier",
    "read_clips",
    "read_run_clips",
    "torch_encode",
    "train_classifier",
]
