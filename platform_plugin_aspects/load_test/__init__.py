"""Load tests: people who enroll and unenroll, what is measured meanwhile, and what is reported of it."""
