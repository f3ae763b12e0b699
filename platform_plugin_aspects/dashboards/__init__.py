"""The way back: dashboards of Superset, shown to those who may see them."""
