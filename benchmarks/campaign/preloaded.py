"""What the fork server imports once, so that a command starts in milliseconds."""

from importlib import import_module

from voiceprint.cli.commands import COMMANDS, load_command

for _command in COMMANDS:
    load_command(_command)
for _module in (
    "faiss",
    "onnxruntime",
    "soxr",
    "voiceprint.engine.verifier",
    "voiceprint.store.sqlite.backend",
):
    import_module(_module)
