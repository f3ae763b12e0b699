"""Acts of learners as the platform's tracking events: their names, their data and the context they come in.

Each function returns an Act. Grades are shares from 0 to 1.
"""

from platform_plugin_aspects.load_test.acts.act import Act

__all__ = ["Act"]
