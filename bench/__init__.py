"""The measurements of design.md 9: ratios taken side by side in one run, never timed tests."""
