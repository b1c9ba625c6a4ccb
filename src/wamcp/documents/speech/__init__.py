"""Writing down speech: sound is decoded, the speech in it found, and each piece of it written. Runs in the child."""
