"""Sphinx's configuration. The reference is made from the code: the plugin is loaded in the stand-in platform."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / folder) for folder in ("docs/_ext", "test_utils/edx_platform", ".")]
os.environ["DJANGO_SETTINGS_MODULE"] = "cms.envs.test"

import django  # noqa: E402

django.setup()

from platform_plugin_aspects import __version__  # noqa: E402

project = "platform-plugin-aspects"
copyright = "the authors of platform-plugin-aspects"
release = __version__

extensions = ["aspects_generated"]
exclude_patterns = ["_build"]
nitpicky = True
# Quotes stand around values that are typed as they are.
smartquotes = False
# The language of an example is named where it is not a shell's.
highlight_language = "console"

html_theme = "furo"
html_title = f"{project} {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False
