"""Published encoders as model folders, without torch. Needs the extra ``models``."""
