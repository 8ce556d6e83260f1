"""Every check that a deployment or a practice can fail, with the sentence that mends it. Reads only."""
