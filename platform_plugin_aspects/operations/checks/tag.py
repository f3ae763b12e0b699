"""The name by which the checks are run alone."""

#: ``manage.py check --tag platform_plugin_aspects`` runs only these checks.
TAG = "platform_plugin_aspects"
