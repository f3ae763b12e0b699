"""Load tests: people enroll and unenroll, a monitor measures, and a report shows the figures."""
