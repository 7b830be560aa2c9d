"""Closed-set classification: which of the people a model was trained on is heard; without torch."""

from voiceprint.classification.classifier import (
    Classifier,
    Encode,
    Heard,
    HeardClips,
    SpeakerClassifier,
    cut,
    spoken,
)
from voiceprint.classification.evaluation import (
    ClassFigures,
    ClassificationReport,
    evaluate_classifier,
    figures_of,
)
from voiceprint.classification.head import CosineHead, Head, LinearHead, pack_head, softmax, unpack_head
from voiceprint.classification.prediction import (
    CLASSIFIER_FILE,
    ClassifierModel,
    ClassProbability,
    Prediction,
)
from voiceprint.classification.rejection import (
    Rejection,
    centroids_of,
    fit_rejection,
    similarity,
)

__all__ = [
    "CLASSIFIER_FILE",
    "ClassFigures",
    "ClassProbability",
    "ClassificationReport",
    "Classifier",
    "ClassifierModel",
    "CosineHead",
    "Encode",
    "Head",
    "Heard",
    "HeardClips",
    "LinearHead",
    "Prediction",
    "Rejection",
    "SpeakerClassifier",
    "centroids_of",
    "cut",
    "evaluate_classifier",
    "figures_of",
    "fit_rejection",
    "pack_head",
    "similarity",
    "softmax",
    "spoken",
    "unpack_head",
]
