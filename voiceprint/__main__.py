"""``python -m voiceprint``: the command line."""

from voiceprint.cli import main

if __name__ == "__main__":
    main()
