"""Answers to browsers: endpoints, and the elements that embed a dashboard in a page."""
