"""`make show`: a whole site on this machine, with a class of learners and its boards."""
