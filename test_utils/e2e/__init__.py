"""`make e2e`: Superset, the stand-in LMS and Chromium together, as people meet them."""
